"""`deploy`, `list`, `describe` and `runs` against a database, with nothing running."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import BAD, GOOD
from tests.support.command import Command

if TYPE_CHECKING:
    from tests.cli.conftest import Project

FILE = "notebooks/adds_up.agent.yaml"


def told(project: Project, *arguments: str) -> Any:
    done = project.call(*arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_deploying_twice_changes_nothing(project: Project) -> None:
    assert [a["state"] for a in told(project, "list")["agents"]] == ["not deployed"]
    first = told(project, "deploy", FILE)
    again = told(project, "deploy", FILE)
    (one,), (same,) = first["deployed"], again["deployed"]
    assert list(one) == ["agent", "version", "hash", "environment", "changed"]
    assert (one["agent"], one["version"], one["environment"]) == ("adds-up", 1, "local")
    assert (one["changed"], same["changed"], again["reloaded"]) == (True, False, False)
    assert same | {"changed": True} == one
    assert project.call("deploy", FILE).stdout == (
        f"adds-up v1 ({one['hash'][:12]}) was live already; nothing changed.\n"
    )

    (live,) = told(project, "list")["agents"]
    assert (live["state"], live["version"], live["file"]) == ("live", 1, FILE)
    assert live["triggers"] == ["POST /hooks/add"]
    project.write(FILE, GOOD.replace("a + b", "a + b + 0"))
    assert told(project, "list")["agents"][0]["state"] == "changed since"
    assert "adds-up v2" in project.call("deploy", FILE).stdout
    project.write(FILE, BAD)
    states = {a["name"]: a["state"] for a in told(project, "list")["agents"]}
    assert states == {"adds-up": "live", "bad-one": "has errors"}


def test_one_bad_file_deploys_none(project: Project) -> None:
    project.write("notebooks/bad.agent.yaml", BAD)
    done = project.call("deploy", FILE, "notebooks/bad.agent.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("notebooks/bad.agent.yaml:8:7: error AF301")
    assert [a["version"] for a in told(project, "list")["agents"]] == [None, None]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("adds-up", "adds_up"), "both called 'adds_up'"),
        (("adds-up", "other"), "POST /add of 'other' already starts 'adds-up'"),
    ],
)
def test_two_agents_keep_apart(project: Project, change: tuple[str, str], said: str) -> None:
    project.write("notebooks/other.agent.yaml", GOOD.replace(*change))
    done = project.call("deploy", FILE, "notebooks/other.agent.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert [a["version"] for a in told(project, "list")["agents"]] == [None, None]


def test_describe_tells_of_a_working_file_and_of_what_is_live(project: Project) -> None:
    assert "∑ adds-up  working file" in project.call("describe", "adds-up").stdout
    project.call("deploy", FILE)
    done = project.call("describe", "adds_up")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("∑ adds-up  v1", "POST /hooks/add", "a: integer, required", "code.python"):
        assert words in done.stdout
    assert "Adds [/up] \N{REPLACEMENT CHARACTER}[31m" in done.stdout
    shown = told(project, "describe", FILE)
    assert (shown["deployed"], shown["version"]) == (False, 1)
    assert [(n["name"], n["after"]) for n in shown["nodes"]] == [
        ("add", []),
        ("answer", ["add.result"]),
    ]


def test_describe_of_nothing_names_what_there_is(shared: Project) -> None:
    done = shared.call("describe", "add-up")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: There is no agent 'add-up'.\nDid you mean 'adds-up'?\n"


def test_the_words_of_workflows(project: Project) -> None:
    assert told(project, "list", "workflows")["agents"][0]["name"] == "adds-up"
    project.call("deploy", FILE)
    assert "∑ adds-up  v1" in project.call("describe", "workflow", "adds-up").stdout
    refused = project.call("delete", "workflow", "adds-up", given="n\n")
    assert (refused.returncode, refused.stdout) == (130, "")
    assert told(project, "list")["agents"][0]["state"] == "live"
    done = project.call("delete", "workflow", "adds_up", "--yes")
    assert (done.returncode, done.stdout) == (0, "adds-up v1 is no longer live in local.\n")
    assert told(project, "list")["agents"][0]["state"] == "not deployed"
    again = project.call("delete", "adds-up", "--yes")
    assert (again.returncode, again.stdout) == (2, "")
    assert "no agent 'adds-up' deployed in 'local'" in again.stderr
    assert "adds-up v1" in project.call("deploy", FILE).stdout
    assert project.call("list", "adds-up").returncode == 2


def test_no_runs_yet(shared: Project) -> None:
    assert shared.call("runs").stdout == "No runs yet.\n"
    assert told(shared, "runs", "adds-up") == {"runs": []}
    assert told(shared, "retention", "--dry-run")["runs"] == 0
    assert shared.call("retention").stdout.startswith("0 runs, 0 events, 0 outputs, 0 calls")


def test_variables_of_the_project_are_read_and_not_shown(project: Project) -> None:
    project.write(FILE, GOOD.replace("spec:", "spec:\n  env: [IN_FILE, IN_BOTH, NOWHERE]"))
    project.write(
        ".env", "IN_FILE='from the file'\nIN_BOTH=hidden-in-file\nAGENTFLOW_ENVIRONMENT=x\n"
    )
    described = project.call("describe", "adds-up").stdout
    assert "needs IN_FILE, IN_BOTH, NOWHERE (not set)" in described
    assert "hidden" not in described
    assert told(project, "deploy", FILE)["deployed"][0]["environment"] == "x"
    over = {**project.command.variables, "AGENTFLOW_ENVIRONMENT": "process"}
    done = Command(project.root, over).run("deploy", FILE, "--json")
    assert json.loads(done.stdout)["deployed"][0]["environment"] == "process"


def test_a_database_that_is_not_there_is_told_without_its_password(project: Project) -> None:
    url = "postgresql://user:hunter22-secret@127.0.0.1:1/none"
    variables = {**project.command.variables, "AGENTFLOW_DATABASE_URL": url}
    done = Command(project.root, variables).run("list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter22" not in done.stderr
