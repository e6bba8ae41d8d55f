"""`agentflow approvals`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agentflow_dagster.ports.waits import Wait
    from agentflow_dagster.spec.values import JsonObject


@click.command("approvals")
@click.argument("name", required=False)
@click.option("--all", "all_", is_flag=True, help="What is decided, too.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, all_: bool, limit: int, as_json: bool) -> None:
    """List what people are asked: approvals, and forms to fill in.

    \b
    Examples:
      agentflow approvals
      agentflow approvals refunds --all
    """
    from agentflow_dagster.cli.context import current_project
    from agentflow_dagster.cli.output import print_json, print_table
    from agentflow_dagster.operations.approvals import list_waits

    found = list_waits(current_project(), name, open_only=not all_, limit=limit)
    if as_json:
        print_json({"approvals": [to_json(wait) for wait in found]})
        return
    if not found:
        click.echo("Nothing waits for anybody.")
        return
    print_table(
        "Approvals",
        ["id", "agent", "node", "asks", "whom", "until", *(["decided"] if all_ else [])],
        [
            [
                str(wait.id),
                wait.agent,
                wait.path,
                f"{wait.kind}: {wait.subject['ask']}",
                ", ".join(wait.people) or "anyone",
                f"{wait.due.astimezone():%Y-%m-%d %H:%M}" if wait.due else "-",
                *([decided(wait)] if all_ else []),
            ]
            for wait in found
        ],
    )
    click.echo("`agentflow approve ID`, `reject ID` or `answer ID --input JSON` decides.")


def to_json(wait: Wait) -> JsonObject:
    """What is waited for, for programs."""
    answer = wait.answer
    return {
        "id": wait.id,
        "run": wait.run_id,
        "agent": wait.agent,
        "node": wait.path,
        "kind": wait.kind,
        "subject": wait.subject,
        "digest": wait.digest,
        "people": list(wait.people),
        "asked_at": wait.asked_at.isoformat(),
        "due": wait.due.isoformat() if wait.due else None,
        "state": wait.state,
        "answer": None
        if answer is None
        else {
            "value": json.loads(json.dumps(answer.value)),
            "by": answer.by,
            "note": answer.note,
            "at": answer.at.isoformat(),
        },
    }


def decided(wait: Wait) -> str:
    """How it was decided, in a few words."""
    if wait.answer is None:
        return wait.state
    if wait.answer.by is None:
        return "time ran out"
    value = wait.answer.value
    if wait.kind == "approval":
        said = "approved" if value == {"approved": True} else "rejected"
    else:
        said = "answered"
    return f"{said} by {wait.answer.by}"
