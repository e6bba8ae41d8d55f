"""`agentflow version`."""

from __future__ import annotations

import click

from agentflow_dagster import __version__


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with what it stands on.")
def command(as_json: bool) -> None:
    """Print the version.

    \b
    Example:
      agentflow version --json
    """
    if not as_json:
        click.echo(f"agentflow {__version__}")
        return
    import platform
    from importlib.metadata import version

    from agentflow_dagster.cli.output import print_json

    parts = ("dagster", "jupyterlab", "litellm")
    told = {name: version(name) for name in parts}
    print_json({"agentflow": __version__, "python": platform.python_version(), **told})
