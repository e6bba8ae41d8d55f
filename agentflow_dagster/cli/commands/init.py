"""`agentflow init`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click


@click.command("init")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def command(directory: Path) -> None:
    """Make a new project that runs: definitions, resources and two sample agents.

    \b
    Example:
      agentflow init support && cd support && agentflow up
    """
    from agentflow_dagster.operations.scaffold import scaffold

    for path in scaffold(directory):
        click.echo(f"  {path}")
    click.echo(f"Made {directory}. Next: cd {quote(str(directory))} && agentflow up")
