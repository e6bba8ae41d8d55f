"""`agentflow retention`."""

from __future__ import annotations

import click


@click.command("retention")
@click.option("--dry-run", "dry", is_flag=True, help="Say what would go, and delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(dry: bool, as_json: bool) -> None:
    """Delete runs, their values, accepted calls and kept replies that are past their age.

    A schedule does the same every hour while the project is up. Agents say how many days they keep
    their runs in `config.retentionDays`; AGENTFLOW_RETENTION_DAYS (90) holds for the others.

    \b
    Examples:
      agentflow retention --dry-run
      agentflow retention --json
    """
    from agentflow_dagster.cli.context import current_project
    from agentflow_dagster.cli.output import print_json, print_table
    from agentflow_dagster.operations.retention import clear_project

    cleared = clear_project(current_project(), dry=dry)
    if as_json:
        print_json({"dry_run": dry, **cleared.to_json()})
        return
    if cleared.runs:
        rows = [[agent or "-", f"{runs:,}"] for agent, runs in sorted(cleared.runs.items())]
        print_table("Would be deleted" if dry else "Deleted", ["agent", ">runs"], rows)
    total, calls, replies = cleared.runs.total(), cleared.calls, cleared.replies
    if dry:
        click.echo(f"{total:,} runs, {calls:,} calls and {replies:,} replies are past their age.")
        return
    click.echo(
        f"{total:,} runs, {cleared.events:,} events, {cleared.outputs:,} outputs, {calls:,} calls, "
        f"{replies:,} replies and {cleared.files:,} files ({cleared.file_bytes / 2**20:,.1f} MiB) "
        "are deleted."
    )
