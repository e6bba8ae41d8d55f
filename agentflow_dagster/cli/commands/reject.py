"""`agentflow reject`."""

from __future__ import annotations

import click


@click.command("reject")
@click.argument("wait_id", metavar="ID", type=click.IntRange(1))
@click.option("--note", default="", help="What you want to say beside it.")
@click.option("--as", "by", default="", help="Who you are; without it, this machine's user.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(wait_id: int, note: str, by: str, yes: bool, as_json: bool) -> None:
    """Reject what a run waits for, which then goes on.

    \b
    Example:
      agentflow reject 12 --note "As agreed"
    """
    from agentflow_dagster.cli.asked import decide

    decide(wait_id, approved=False, note=note, by=by, yes=yes, as_json=as_json)
