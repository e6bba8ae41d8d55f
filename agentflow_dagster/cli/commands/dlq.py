"""`agentflow dlq`."""

from __future__ import annotations

import click


@click.group("dlq")
def command() -> None:
    """See and take on what failed for good: the dead-letter queue.

    Runs stand in it that were not tried again, or too often, and accepted calls that could not
    become a run.

    \b
    Examples:
      agentflow dlq list --agent support-triage
      agentflow dlq retry run-7
      agentflow dlq drop call-12
    """


@command.command("list")
@click.option("--agent", metavar="NAME", help="Of one agent.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_letters(agent: str | None, limit: int, as_json: bool) -> None:
    """List what failed for good, the newest first."""
    from agentflow_dagster.cli.context import current_project
    from agentflow_dagster.cli.output import print_json, print_table
    from agentflow_dagster.operations.dlq import dead_letters

    found = dead_letters(current_project(), agent, limit=limit)
    if as_json:
        print_json({"dead_letters": [letter.to_json() for letter in found]})
        return
    if not found:
        click.echo("Nothing has failed for good.")
        return
    print_table(
        "Dead letters",
        ["id", "agent", "trigger", ">tried", "when", "input", "error"],
        [
            [
                letter.id,
                letter.agent,
                letter.trigger or "-",
                str(letter.attempts),
                letter.at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
                _short(letter.input, 40),
                _short(letter.error, 60),
            ]
            for letter in found
        ],
    )


@command.command("retry")
@click.argument("letter", metavar="[ID]", required=False)
@click.option("--agent", metavar="NAME", help="All of one agent.")
@click.option("--all", "everything", is_flag=True, help="All there are.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def retry(letter: str | None, agent: str | None, everything: bool, as_json: bool) -> None:
    """Start runs again from their input; each once, however often it is said."""
    from agentflow_dagster.cli.context import current_project
    from agentflow_dagster.cli.output import print_json
    from agentflow_dagster.operations.dlq import send_again

    sent = send_again(current_project(), letter, agent=agent, everything=everything)
    if as_json:
        print_json({"retried": [*sent]})
    elif sent:
        for one in sent:
            click.echo(f"{one} is started again while the project is up.")
    else:
        click.echo("Nothing to start: it was asked for before." if letter else "Nothing to start.")


@command.command("drop")
@click.argument("letter", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def drop_letter(letter: str, as_json: bool) -> None:
    """Take one out of the queue; its run stays in Dagster."""
    from agentflow_dagster.cli.context import current_project
    from agentflow_dagster.cli.output import print_json
    from agentflow_dagster.operations.dlq import drop

    drop(current_project(), letter)
    if as_json:
        print_json({"dropped": letter})
    else:
        click.echo(f"{letter} is dropped.")


def _short(text: str, longest: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
