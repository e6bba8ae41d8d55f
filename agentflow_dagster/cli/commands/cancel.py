"""`agentflow cancel`."""

from __future__ import annotations

import click


@click.command("cancel")
@click.argument("run_id", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run_id: str, as_json: bool) -> int:
    """Stop a run, also one that waits; what it has done so far stays.

    \b
    Example:
      agentflow cancel 0b2c6a0e-7a1d-4c55-9d2e-6f1f0c9a7c11
    """
    from agentflow_dagster.cli.context import current_project
    from agentflow_dagster.cli.output import print_json
    from agentflow_dagster.operations.cancel import cancel_run

    status = cancel_run(current_project(), run_id)
    if as_json:
        print_json({"run": run_id, "status": status})
    else:
        click.echo(f"Run {run_id}: {status}.")
    return 0 if status == "CANCELED" else 1
