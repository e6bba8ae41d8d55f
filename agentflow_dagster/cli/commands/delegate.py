"""`agentflow delegate`."""

from __future__ import annotations

import click


@click.command("delegate")
@click.argument("wait_id", metavar="ID", type=click.IntRange(1))
@click.argument("to", metavar="NAME")
@click.option("--as", "by", default="", help="Who you are; without it, this machine's user.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(wait_id: int, to: str, by: str, as_json: bool) -> None:
    """Let somebody else decide what you may decide, too.

    \b
    Example:
      agentflow delegate 12 jonas
    """
    from agentflow_dagster.cli.commands.approvals import to_json
    from agentflow_dagster.cli.context import current_project
    from agentflow_dagster.cli.output import print_json, shown
    from agentflow_dagster.operations.approvals import Said, delegate

    done = delegate(current_project(), wait_id, to=to, said=Said(by))
    if as_json:
        print_json(to_json(done))
    else:
        click.echo(shown(f"{', '.join(done.people)} may decide {wait_id} now."))
