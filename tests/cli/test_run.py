"""`agentflow run`: what is refused before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import BAD

if TYPE_CHECKING:
    from tests.cli.conftest import Project
    from tests.support.command import Command


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{", "--input is not JSON"),
        ("{'a': 1}", "--input is not JSON"),
        ("[1]", "--input must be a JSON object."),
        ('{"a": NaN}', "--input is not JSON"),
        ('{"a": 1e999}', "--input is not JSON"),
        (r'{"a": "\ud800"}', "--input is not JSON"),
        ('{"a":' * 5000, "--input is not JSON"),
        ("@nowhere.json", "--input '@nowhere.json' cannot be read"),
        ("@.", "--input '@.' cannot be read"),
        ("@latin.json", "--input '@latin.json' cannot be read"),
        ("@-", "--input is not JSON"),
        ("{}", "'a' is a required property"),
        ('{"a": "x"}', "a: 'x' is not of type 'integer'"),
        ('{"a": 1, "c": 1}', "unknown: c (known: a, b)"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(shared: Project, given: str, said: str) -> None:
    (shared.root / "latin.json").write_bytes(b'{"a": "\xe9"}')
    done = shared.call("run", "adds-up", "--input", given, given="not JSON")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("adds-upp", "There is no agent 'adds-upp'.\nDid you mean 'adds-up'?"),
        ("nowhere.agent.yaml", "There is no file 'nowhere.agent.yaml'."),
        ("notebooks/", "There is no file 'notebooks'"),
    ],
)
def test_an_agent_that_is_not_there_is_told(shared: Project, target: str, said: str) -> None:
    done = shared.call("run", target, "--input", '{"a": 1}')
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_file_with_errors_is_not_run(shared: Project) -> None:
    shared.write("bad.agent.yaml", BAD)
    done = shared.call("run", "bad.agent.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("bad.agent.yaml:8:7: error AF301")


def test_outside_a_project_nothing_runs(nowhere: Command) -> None:
    done = nowhere.run("run", "adds-up")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not inside an AgentFlow project" in done.stderr
