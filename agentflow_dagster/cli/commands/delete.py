"""`agentflow delete`."""

from __future__ import annotations

import click


@click.command("delete")
@click.argument("words", metavar="[workflow] NAME", nargs=-1, required=True)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(words: tuple[str, ...], yes: bool, as_json: bool) -> int:
    """Take an agent out of its environment; its versions and runs stay.

    Its triggers no longer start runs. `agentflow deploy` brings it back.

    \b
    Examples:
      agentflow delete support-triage
      agentflow delete workflow customer-support-pipeline --yes
    """
    from agentflow_dagster.cli.context import after_noun, current_project
    from agentflow_dagster.cli.output import print_json, shown
    from agentflow_dagster.operations.deploy import undeploy
    from agentflow_dagster.operations.publish import publish
    from agentflow_dagster.operations.stores import project_stores

    name = after_noun(words, required=True)
    project = current_project()
    if not yes:
        click.confirm(f"Take {name} out of {project.environment}?", abort=True, err=True)
    with project_stores(project) as stores:
        gone = undeploy(project, stores.versions, name)
    reloaded = publish(project, [gone], came_or_went=True)
    if as_json:
        told = {"agent": gone.version.agent, "environment": gone.environment}
        print_json({"deleted": {**told, "version": gone.version.number}, "reloaded": reloaded})
        return 0
    version = gone.version
    click.echo(f"{shown(version.agent)} v{version.number} is no longer live in {gone.environment}.")
    return 0
