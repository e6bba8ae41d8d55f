"""The tests of agent documents in pytest, as a process of its own."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
PLUGIN = "agentflow_dagster.pytest_plugin"
AGENT = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: adds-up}
spec:
  inputs: {type: object, required: [a], properties: {a: {type: integer}}}
  nodes:
    add:
      kind: code.python
      with: {code: total = a + 1, inputs: {a: "{{input.a}}"}, outputs: {total: {type: integer}}}
  outputs: {total: "{{add.output.total}}"}
  tests:
    one_more: {input: {a: 1}, expect: [{value: outputs.total, equals: 2}]}
    wrong:
      input: {a: 1}
      mocks: {add: {output: {total: 5}}}
      expect: [{value: outputs.total, equals: 2}]
"""
UNTESTED = AGENT[: AGENT.index("  tests:")]


@pytest.fixture
def run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """pytest with this plugin and no other, in a project."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makefile(".py", definitions="")
    pytester.mkdir("notebooks")
    for name, text in (("adds_up", AGENT), ("untested", UNTESTED)):
        (pytester.path / "notebooks" / f"{name}.agent.yaml").write_text(text)
    pytester.makepyfile(test_other="def test_other(): pass")
    return lambda *arguments: pytester.runpytest_subprocess("-p", PLUGIN, *arguments, timeout=60)


def test_every_pytest_finds_the_plugin() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert told["project"]["entry-points"]["pytest11"] == {"agentflow": PLUGIN}


def test_nothing_is_collected_that_was_not_asked_for(run: Callable[..., pytest.RunResult]) -> None:
    done = run("--collect-only", "-q")
    done.stdout.fnmatch_lines(["test_other.py::test_other", "1 test collected*"])
    done.stdout.no_fnmatch_line("*adds_up*")


def test_it_costs_other_pytests_nothing(pytester: pytest.Pytester) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pytest; before = set(sys.modules)"
    )
    program += (
        f"; import {PLUGIN}; print(sorted(m for m in set(sys.modules) - before if '.' not in m))"
    )
    done = pytester.run(sys.executable, "-c", program)
    done.stdout.fnmatch_lines(["['agentflow_dagster']"])


def test_a_file_that_is_named(run: Callable[..., pytest.RunResult]) -> None:
    done = run("notebooks/adds_up.agent.yaml", "--junitxml=r.xml")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(
        [
            "*adds-up: wrong*",
            "outputs.total is another (expect/0/equals)",
            "  - 2",
            "  + 5",
        ]
    )
    done.stdout.no_fnmatch_line("*Traceback*")
    cases = ET.parse("r.xml").getroot().findall(".//testcase")
    assert [case.get("name") for case in cases] == ["one_more", "wrong"]
    assert {p.get("name"): p.get("value") for p in cases[0].iter("property")} == {
        "cases": "1",
        "cost_usd": "0.0",
    }


@pytest.mark.parametrize("way", ["option", "configuration"])
def test_all_of_a_project(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester, way: str
) -> None:
    pytester.makeini("[pytest]\nagentflow = true\n" if way == "configuration" else "[pytest]")
    done = run("--collect-only", "-q", *(["--agentflow"] if way == "option" else []))
    done.stdout.fnmatch_lines(
        [
            "notebooks/adds_up.agent.yaml::one_more",
            "notebooks/adds_up.agent.yaml::wrong",
            "test_other.py::test_other",
            "3 tests collected*",
        ]
    )


def test_a_file_with_errors(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    broken = AGENT.replace("code.python", "code.pyton")
    (pytester.path / "notebooks" / "adds_up.agent.yaml").write_text(broken)
    done = run("--agentflow")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*adds_up.agent.yaml*AF301*code.pyton*"])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_a_file_of_no_project(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    (pytester.path / "definitions.py").unlink()
    done = run("notebooks/adds_up.agent.yaml")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*is not inside an AgentFlow project*"])
