"""`agentflow convert`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("convert")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "form",
    required=True,
    type=click.Choice(["yaml", "json", "python", "agent"]),
    help="The form to write; `agent` is the agent that a workflow stands for.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it to this file.")
def command(file: Path, form: str, output: Path | None) -> None:
    """Write an agent in another form, losing nothing but comments and layout of the text.

    Python is read as it stands, and never run.

    \b
    Examples:
      agentflow convert notebooks/support_triage.agent.yaml --to python
      agentflow convert triage.agent.py --to yaml -o notebooks/triage.agent.yaml
    """
    from typing import cast

    from agentflow_dagster.operations.convert import Form, convert

    text = convert(file, cast("Form", form))
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    click.echo(f"Wrote {output}.", err=True)
