"""`agentflow test`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.cli.conftest import BAD, GOOD, make_project

if TYPE_CHECKING:
    from tests.cli.conftest import Project

FILE = "notebooks/adds_up.agent.yaml"
TESTS = """
  tests:
    sums:
      cases: {file: sums.csv}
      input: {a: "{{int(case.a)}}", b: "{{int(case.b)}}"}
      mocks: {answer: {output: {text: mocked}}}
      expect:
        - {value: outputs.total, equals: "{{int(case.total)}}"}
    adds_alone:
      node: add
      input: {a: 2}
      expect:
        - {value: add.output.total, equals: 3}
"""
ROWS = "a,b,total\n1,2,3\n5,5,10\n"
WRONG = ROWS + "1,1,3\n"


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with tests, and no database that answers: none is needed."""
    root = tmp_path_factory.mktemp("tested") / "project"
    project = make_project(root, "postgresql://nobody@127.0.0.1:1/none")
    project.write(FILE, GOOD + TESTS)
    (root / "notebooks" / "data").mkdir()
    project.write("notebooks/untested.agent.yaml", BAD)
    return project


@pytest.fixture
def right(tested: Project) -> Project:
    tested.write("notebooks/data/sums.csv", ROWS)
    return tested


@pytest.fixture
def wrong(tested: Project) -> Project:
    tested.write("notebooks/data/sums.csv", WRONG)
    return tested


def test_all_of_a_project_pass(right: Project) -> None:
    done = right.call("test", FILE)
    assert done.returncode == 0, done.stderr
    assert "sums" in done.stdout
    assert "2/2" in done.stdout
    assert done.stdout.endswith("2 passed, 0 failed\n")
    assert "adds-up · sums …" in done.stderr


def test_what_fails_is_told_with_its_difference(wrong: Project) -> None:
    done = wrong.call("test", "adds-up")
    assert done.returncode == 1
    assert f"{FILE} · sums" in done.stdout
    assert "66.7% of 3 cases passed; 100.0% are wanted." in done.stdout
    assert "case 3: outputs.total is another (expect/0/equals)" in done.stdout
    assert "    - 3\n" in done.stdout
    assert "    + 2\n" in done.stdout
    assert done.stdout.endswith("1 passed, 1 failed\n")


def test_for_programs(wrong: Project) -> None:
    done = wrong.call("test", FILE, "--json", "--junit", "reports/agents.xml")
    told = json.loads(done.stdout)
    assert (done.returncode, told["passed"]) == (1, False)
    assert [(t["file"], t["agent"], t["test"], t["passed"]) for t in told["tests"]] == [
        (FILE, "adds-up", "sums", False),
        (FILE, "adds-up", "adds_alone", True),
    ]
    assert [case["passed"] for case in told["tests"][0]["cases"]] == [True, True, False]
    suites = ET.parse(wrong.root / "reports" / "agents.xml").getroot()
    assert (suites.get("tests"), suites.get("failures")) == ("2", "1")


def test_one_test_of_one_node_or_the_first_that_fails(wrong: Project) -> None:
    for chosen in (("--node", "add"), ("--test", "adds_alone")):
        done = wrong.call("test", FILE, *chosen, "--json")
        assert [t["test"] for t in json.loads(done.stdout)["tests"]] == ["adds_alone"]
        assert done.returncode == 0
    done = wrong.call("test", FILE, "-x", "--json")
    assert [t["test"] for t in json.loads(done.stdout)["tests"]] == ["sums"]


def test_what_is_misused(right: Project) -> None:
    for arguments, said in (
        (("adds-upp",), "Did you mean 'adds-up'?"),
        ((FILE, "--test", "sms"), "Did you mean 'sums'?"),
        ((FILE, "--node", "answer"), "No test is of the node 'answer' alone."),
        (("nowhere.agent.yaml",), "There is no file"),
        (("notebooks/data",), "There are no tests here."),
    ):
        done = right.call("test", *arguments)
        assert done.returncode == 2, arguments
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_file_with_errors_is_not_tested(right: Project) -> None:
    done = right.call("test", "notebooks/untested.agent.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "code.pyton" in done.stderr
    assert right.call("test", "notebooks").returncode == 0  # It has no tests.
