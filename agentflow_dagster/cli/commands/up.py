"""`agentflow up`."""

from __future__ import annotations

import click

PORT = click.IntRange(1, 65_535)


@click.command("up")
@click.option("--dagster-port", default=3000, show_default=True, type=PORT, help="Dagster's UI.")
@click.option("--gateway-port", default=8800, show_default=True, type=PORT, help="The front door.")
@click.option("--jupyter-port", default=8888, show_default=True, type=PORT, help="JupyterLab.")
@click.option("--no-jupyter", is_flag=True, help="Leave JupyterLab out.")
def command(dagster_port: int, gateway_port: int, jupyter_port: int, no_jupyter: bool) -> None:
    """Start everything and keep it running until Ctrl-C.

    PostgreSQL, Dagster's webserver, daemon and code server, the front door for webhooks, and
    JupyterLab with the magics ready. What dies is started again.

    \b
    Examples:
      agentflow up
      agentflow up --dagster-port 3001 --no-jupyter
    """
    from agentflow_dagster.cli.context import current_project
    from agentflow_dagster.cli.interrupt import stopped_cleanly
    from agentflow_dagster.cli.output import progress
    from agentflow_dagster.operations.up import Ports, missing_variables, stay_up

    project = current_project()
    ports = Ports(
        webserver=dagster_port,
        gateway=gateway_port,
        jupyter=None if no_jupyter else jupyter_port,
    )
    with stopped_cleanly(), progress() as told, stay_up(project, ports, progress=told) as platform:
        told("Up")
        click.secho("AgentFlow is up. Ctrl-C stops it.", bold=True)
        click.echo(f"  Dagster     {platform.client.url}")
        click.echo(f"  Webhooks    {platform.gateway}/hooks/…  (token: {project.home / 'token'})")
        if platform.jupyter:
            click.echo(f"  JupyterLab  {platform.jupyter}")
        click.echo(f"  Logs        {project.home / 'logs'}")
        for agent, names in missing_variables(platform).items():
            click.secho(f"  {agent} needs {', '.join(names)}, which are not set.", fg="yellow")
        for revived in platform.watch():
            click.secho(f"{revived} had died and was started again.", fg="yellow", err=True)
