"""`agentflow run`."""

from __future__ import annotations

import click

_FIELDS = (
    *("run_id", "status", "outputs", "nodes", "cost_usd", "tokens_in", "tokens_out"),
    *("first_step_ms", "latency_ms", "url"),
)


@click.command("run")
@click.argument("target", metavar="NAME|FILE")
@click.option("--input", "given", default="{}", metavar="JSON|@FILE", help="The run's input.")
@click.option("--partition", metavar="KEY", help="Of a partitioned agent: which partition.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole record as JSON.")
def command(target: str, given: str, partition: str | None, as_json: bool) -> int:
    """Run an agent and wait for its result.

    NAME is a deployed agent, or one under notebooks/; FILE runs as it stands, without being
    deployed. Uses a running `agentflow up`, or starts what it needs and stops it.

    \b
    Examples:
      agentflow run support-triage --input '{"subject": "Crash", "body": "It crashes on save."}'
      agentflow run notebooks/invoice_check.ipynb --input @params.json --json
      agentflow run ticket-digest --partition 2026-01-05
    """
    from agentflow_dagster.cli.context import current_project, known_kinds, read_input
    from agentflow_dagster.cli.interrupt import stopped_cleanly
    from agentflow_dagster.cli.output import print_json, print_record, progress, shown
    from agentflow_dagster.operations.run import run_agent

    input_ = read_input(given)
    project = current_project()
    with stopped_cleanly(), progress() as told:
        record = run_agent(
            project, known_kinds(), target, input_, progress=told, partition=partition
        )
    if as_json:
        told = record.to_json()
        print_json({name: told[name] for name in _FIELDS})
        if record.error:
            click.echo(shown(record.error), err=True)
    else:
        print_record(record)
    return 0 if record.status == "SUCCESS" else 1
