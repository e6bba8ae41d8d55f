"""What `approve` and `reject` have in common: the question is shown, then decided."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from agentflow_dagster.cli.output import print_json, shown

if TYPE_CHECKING:
    from agentflow_dagster.ports.waits import Wait


def decide(wait_id: int, *, approved: bool, note: str, by: str, yes: bool, as_json: bool) -> None:
    """Shows what is asked, asks whether that is meant unless `yes`, and decides."""
    from agentflow_dagster.cli.commands.approvals import to_json
    from agentflow_dagster.cli.context import current_project
    from agentflow_dagster.operations.approvals import Said, find_wait
    from agentflow_dagster.operations.approvals import decide as decided

    project = current_project()
    if not yes:
        print_asked(find_wait(project, wait_id))
        click.confirm("Approve this?" if approved else "Reject this?", abort=True, err=True)
    done = decided(project, wait_id, approved=approved, said=Said(by, note))
    if as_json:
        print_json(to_json(done))
        return
    said = "Approved" if approved else "Rejected"
    click.echo(f"{said}. Run {done.run_id} goes on.")


def print_asked(wait: Wait) -> None:
    """Shows people what they are asked, on stderr."""
    click.secho(shown(f"{wait.agent}, {wait.path}"), bold=True, err=True)
    click.echo(shown(str(wait.subject["ask"])), err=True)
    if wait.subject.get("show") is not None:
        told = json.dumps(wait.subject["show"], indent=2, ensure_ascii=False)
        click.echo(shown(told), err=True)
