"""`agentflow answer`."""

from __future__ import annotations

import click


@click.command("answer")
@click.argument("wait_id", metavar="ID", type=click.IntRange(1))
@click.option("--input", "given", default="{}", help="JSON, @FILE or @- for standard input.")
@click.option("--note", default="", help="What you want to say beside it.")
@click.option("--as", "by", default="", help="Who you are; without it, this machine's user.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(wait_id: int, given: str, note: str, by: str, as_json: bool) -> None:
    """Fill in the form that a run waits for, which then goes on.

    \b
    Example:
      agentflow answer 12 --input '{"text": "We will come back to you."}'
    """
    from agentflow_dagster.cli.commands.approvals import to_json
    from agentflow_dagster.cli.context import current_project, read_input
    from agentflow_dagster.cli.output import print_json
    from agentflow_dagster.operations.approvals import Said, answer

    done = answer(current_project(), wait_id, read_input(given), Said(by, note))
    if as_json:
        print_json(to_json(done))
    else:
        click.echo(f"Answered. Run {done.run_id} goes on.")
