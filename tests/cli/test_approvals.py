"""What people are asked, and how they answer, on the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.ports.waits import Asked
from agentflow_dagster.stores import open_stores

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.spec.values import JsonObject
    from tests.cli.conftest import Project

RUN = "0b2c6a0e-7a1d-4c55-9d2e-6f1f0c9a7c11"
SCHEMA: JsonObject = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string"}, "urgent": {"type": "boolean", "default": False}},
}
ESCAPE = "\x1b[31m"


@pytest.fixture
def asked(project: Project, database_url: str, tmp_path: Path) -> Project:
    """A project in which 1 is to be approved and 2 to be filled in."""
    approval: JsonObject = {"ask": f"Pay 40 back?{ESCAPE}", "show": {"amount": 40}}
    with open_stores(database_url, tmp_path) as stores:
        given = Asked("approval", approval, people=("mara",))
        stores.waits.hold(RUN, "refund-desk", "consent", given)
        form = Asked("input", {"ask": "What then?", "show": None, "schema": SCHEMA})
        stores.waits.hold(RUN, "refund-desk", "form", form)
    return project


def listed(project: Project, *options: str) -> list[dict[str, Any]]:
    told = project.call("approvals", "--json", *options)
    assert told.returncode == 0
    return json.loads(told.stdout)["approvals"]


def test_it_is_listed_shown_and_decided(asked: Project) -> None:
    shown = asked.call("approvals")
    assert "Pay 40 back?" in shown.stdout
    assert ESCAPE not in shown.stdout
    assert [one["id"] for one in listed(asked)] == [1, 2]
    done = asked.call("approve", "1", "--as", "mara", "--note", "fine", given="y\n")
    assert done.returncode == 0
    assert '"amount": 40' in done.stderr
    assert ESCAPE not in done.stderr
    (left,) = listed(asked)
    assert left["id"] == 2
    decided = listed(asked, "--all")[0]["answer"]
    assert (decided["value"], decided["by"], decided["note"]) == (
        {"approved": True},
        "mara",
        "fine",
    )


def test_who_may_not_or_comes_too_late_is_told(asked: Project) -> None:
    refused = asked.call("approve", "1", "--as", "eve", "--yes")
    assert (refused.returncode, "'eve' may not answer 1; mara may" in refused.stderr) == (2, True)
    assert asked.call("delegate", "1", "eve", "--as", "mara").returncode == 0
    assert asked.call("reject", "1", "--as", "eve", "--yes").returncode == 0
    late = asked.call("approve", "1", "--as", "mara", "--yes")
    assert (late.returncode, "was answered by eve" in late.stderr) == (2, True)


def test_without_a_yes_nothing_is_decided(asked: Project) -> None:
    assert asked.call("approve", "1", "--as", "mara", given="n\n").returncode == 130
    assert listed(asked)[0]["state"] == "open"


def test_a_form_is_filled_in_as_its_schema_has_it(asked: Project) -> None:
    wrong = asked.call("answer", "2", "--input", '{"text": 1}')
    assert (wrong.returncode, "schema of form 2" in wrong.stderr) == (2, True)
    assert asked.call("approve", "2", "--yes").returncode == 2
    done = asked.call("answer", "2", "--input", '{"text": "Hello"}', "--json")
    assert json.loads(done.stdout)["answer"]["value"] == {"text": "Hello", "urgent": False}


@pytest.mark.parametrize("command", ["approve", "reject", "answer", "delegate"])
def test_what_nobody_asked_is_told(project: Project, command: str) -> None:
    more = {"answer": (), "delegate": ("eve",)}.get(command, ("--yes",))
    told = project.call(command, "99", *more)
    assert (told.returncode, "number 99" in told.stderr) == (2, True)


def test_no_run_is_canceled_where_nothing_is_up(project: Project) -> None:
    told = project.call("cancel", RUN)
    assert (told.returncode, "not up" in told.stderr) == (2, True)
