"""`agentflow convert`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("convert")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("target", required=False, type=click.Path(path_type=Path))
@click.option(
    "--to",
    "form",
    type=click.Choice(["yaml", "json", "python", "notebook", "agent"]),
    help="The form to print; `agent` is the agent that a workflow stands for.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="With --to: write it there.")
def command(file: Path, target: Path | None, form: str | None, output: Path | None) -> None:
    """Write an agent in another form, losing nothing but comments and layout of the text.

    The name of TARGET tells the form. YAML and notebooks that exist are edited in place: what is
    their own stays. Python is read as it stands, and never run.

    \b
    Examples:
      agentflow convert notebooks/support_triage.agent.yaml triage.ipynb
      agentflow convert triage.ipynb notebooks/support_triage.agent.yaml
      agentflow convert notebooks/support_triage.agent.yaml --to python
    """
    from typing import cast

    from agentflow_dagster.operations.convert import Form, convert, convert_into

    if (form is None) is (target is None):
        raise click.UsageError("Name a TARGET, or say --to which form.")
    if target is not None:
        text, output = convert_into(file, target), target
    else:
        text = convert(file, cast("Form", form))
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    click.echo(f"Wrote {output}.", err=True)
