"""Answers what runs wait for: approvals, and forms that people fill in."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.graph.inputs import complete_input, misfit
from agentflow_dagster.operations.stores import project_stores

if TYPE_CHECKING:
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.ports.waits import Wait, WaitStore
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue, Value


@dataclass(frozen=True, slots=True)
class Said:
    """Who answers, and what they write beside it.

    Args:
        by: Their name; the user of this machine where none is given.
        note: Up to 2,000 characters.
    """

    by: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """Who it is."""
        return self.by.strip() or getpass.getuser()


def list_waits(
    project: Project, agent: str | None, *, open_only: bool = True, limit: int = 100
) -> list[Wait]:
    """What people are asked, the oldest first, of all agents or of one (named with `-` or `_`)."""
    name = agent.replace("_", "-") if agent else None
    with project_stores(project) as stores:
        return stores.waits.waits(agent=name, open_only=open_only, people_only=True, limit=limit)


def find_wait(project: Project, wait_id: int) -> Wait:
    """What is asked under a number.

    Raises:
        UsageError: nothing is.
    """
    with project_stores(project) as stores:
        return _found(stores.waits, wait_id)


def decide(project: Project, wait_id: int, *, approved: bool, said: Said) -> Wait:
    """Approves or rejects; the same decision of the same person again changes nothing.

    Args:
        project: Whose run it is.
        wait_id: The approval.
        approved: Whether it is.
        said: By whom.

    Raises:
        UsageError: there is no such approval, it is decided otherwise or over, or this person may
            not decide.
    """
    with project_stores(project) as stores:
        _require(_found(stores.waits, wait_id), "approval")
        value: Value = {"approved": approved}
        return stores.waits.decide(wait_id, value, by=said.name, note=said.note)


def answer(project: Project, wait_id: int, value: JsonObject, said: Said) -> Wait:
    """Fills in a form.

    Args:
        project: Whose run it is.
        wait_id: The form.
        value: What is filled in; defaults of its schema are added.
        said: By whom.

    Raises:
        UsageError: there is no such form, the value does not meet its schema, it is answered
            otherwise or over, or this person may not answer.
    """
    with project_stores(project) as stores:
        found = _found(stores.waits, wait_id)
        _require(found, "input")
        schema = cast("JsonSchema", found.subject["schema"])
        if problem := misfit(schema, cast("JsonValue", value), whole=True):
            raise UsageError(f"That does not meet the schema of form {wait_id}: {problem}.")
        complete = complete_input(schema, value)
        return stores.waits.decide(wait_id, cast("Value", complete), by=said.name, note=said.note)


def delegate(project: Project, wait_id: int, *, to: str, said: Said) -> Wait:
    """Lets somebody else answer, too.

    Raises:
        UsageError: there is no such open wait, anyone may answer it, or this person may not.
    """
    with project_stores(project) as stores:
        return stores.waits.delegate(wait_id, by=said.name, to=to)


def _found(waits: WaitStore, wait_id: int) -> Wait:
    found = waits.get(wait_id)
    if found is None:
        raise UsageError(
            f"Nothing of number {wait_id} is asked.", hint="`agentflow approvals` lists what is."
        )
    return found


_ANSWERED_BY = {"approval": "`agentflow approve` or `reject`", "input": "`agentflow answer`"}


def _require(found: Wait, kind: str) -> None:
    if found.kind != kind:
        by = _ANSWERED_BY.get(found.kind)
        hint = f"Use {by}." if by else "`agentflow approvals` lists what people are asked."
        raise UsageError(f"{found.id} is no {kind}, but {found.kind}.", hint=hint)
