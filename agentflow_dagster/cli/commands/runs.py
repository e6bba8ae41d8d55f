"""`agentflow runs`."""

from __future__ import annotations

import click


@click.command("runs")
@click.argument("name", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, limit: int, as_json: bool) -> None:
    """List the newest runs, of all agents or of one.

    \b
    Example:
      agentflow runs support-triage --limit 5
    """
    from agentflow_dagster.cli.context import current_project
    from agentflow_dagster.cli.output import print_json, print_table
    from agentflow_dagster.operations.runs import list_runs

    found = list_runs(current_project(), name, limit=limit)
    if as_json:
        print_json({"runs": [run.to_json() for run in found]})
        return
    if not found:
        click.echo("No runs yet.")
        return
    print_table(
        "Runs",
        ["run", "agent", "version", "trigger", "status", "started", ">took"],
        [
            [
                run.run_id,
                run.agent,
                run.version[:12] or "-",
                run.trigger or "-",
                run.status,
                run.started_at.strftime("%Y-%m-%d %H:%M:%S") if run.started_at else "-",
                f"{run.seconds:.1f} s" if run.seconds is not None else "-",
            ]
            for run in found
        ],
    )
