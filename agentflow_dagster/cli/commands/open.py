"""`agentflow open`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonValue


@click.command("open")
@click.argument("run", metavar="RUN")
@click.argument("node", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str, node: str | None, as_json: bool) -> None:
    """Open a step of a past run as a notebook, with its real inputs.

    RUN is a run's id, or its first characters. Without NODE, says which there are. In the notebook
    the node can be changed and run again by itself, and `%agentflow promote` writes it back.

    \b
    Example:
      agentflow open 3f2a91c0 classify
    """
    from agentflow_dagster.cli.context import current_project, known_kinds
    from agentflow_dagster.cli.output import print_json, print_table
    from agentflow_dagster.operations.open_step import open_step, steps_of

    project, kinds = current_project(), known_kinds()
    if node is None:
        found, steps = steps_of(project, kinds, run)
        if as_json:
            told: list[JsonValue] = [
                {"node": s.node, "kind": s.kind, "left_by": s.status} for s in steps
            ]
            print_json({"run_id": found.run_id, "agent": found.agent, "nodes": told})
            return
        rows = [[s.node, s.kind, s.status] for s in steps]
        print_table(f"{found.agent}, run {found.run_id}", ["node", "kind", "left by"], rows)
        return
    opened = open_step(project, kinds, run, node)
    if as_json:
        print_json({"path": str(opened.path), "made": opened.made})
        return
    click.echo(str(opened.path))
    if not opened.made:
        click.echo("It was open already; what you changed in it stays.", err=True)
