"""`agentflow down`."""

from __future__ import annotations

import click


@click.command("down")
def command() -> None:
    """Stop what `agentflow up` started for this project.

    \b
    Example:
      agentflow down
    """
    from agentflow_dagster.cli.context import current_project
    from agentflow_dagster.operations.up import stop_running

    click.echo("Stopped." if stop_running(current_project()) else "Nothing is up.")
