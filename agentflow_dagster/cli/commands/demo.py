"""`agentflow demo`."""

from __future__ import annotations

import click

_FIELDS = ("run_id", "agent", "status", "first_step_ms", "latency_ms", "cost_usd", "url")


@click.command("demo")
@click.option("--keep", is_flag=True, help="Stay up afterwards, to look around, until Ctrl-C.")
def command(keep: bool) -> int:
    """Run the sample agents on real tickets, from nothing, and stop everything again.

    Works in a temporary home, on free ports, beside anything else. Exits with 0 only where Dagster
    says SUCCESS of every run.

    \b
    Examples:
      agentflow demo
      agentflow demo --keep
    """
    from agentflow_dagster.cli.context import current_project, known_kinds
    from agentflow_dagster.cli.interrupt import stopped_cleanly
    from agentflow_dagster.cli.output import (
        print_json,
        print_table,
        progress,
        record_rows,
        shown,
    )
    from agentflow_dagster.operations.demo import demo

    with (
        stopped_cleanly(),
        progress() as told,
        demo(current_project(), known_kinds(), progress=told) as (platform, records),
    ):
        print_table(
            "Runs",
            ["run", "node", "kind", "status", ">latency", ">tokens", ">cost", "model"],
            [row for record in records for row in record_rows(record)],
        )
        for record in records:
            click.echo(f"{record.agent}  {record.status}  {record.url}")
            for problem in filter(None, [n.error for n in record.nodes] or [record.error]):
                click.secho(shown(f"  {problem}"), fg="red")
        runs = [{name: record.to_json()[name] for name in _FIELDS} for record in records]
        print_json({"runs": [dict(run) for run in runs]}, indent=None)
        if keep:
            click.echo(f"Dagster is at {platform.client.url} until Ctrl-C.", err=True)
            for revived in platform.watch():
                click.echo(f"{revived} had died and was started again.", err=True)
    return 0 if records and all(record.status == "SUCCESS" for record in records) else 1
