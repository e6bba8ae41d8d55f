"""`agentflow list`."""

from __future__ import annotations

import click


@click.command("list")
@click.argument("words", metavar="[workflows]", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(words: tuple[str, ...], as_json: bool) -> None:
    """List the agents of this project: what is live, and which working files differ from it.

    \b
    Examples:
      agentflow list workflows
      agentflow list --json | jq -r '.agents[].name'
    """
    from agentflow_dagster.cli.context import after_noun, current_project, known_kinds
    from agentflow_dagster.cli.output import print_json, print_table
    from agentflow_dagster.operations.listing import list_agents
    from agentflow_dagster.operations.stores import project_stores

    if extra := after_noun(words, required=False):
        raise click.UsageError(f"list takes no name ({extra!r}); describe shows one agent.")
    project = current_project()
    with project_stores(project) as stores:
        agents = list_agents(project, stores.versions, known_kinds())
    if as_json:
        print_json({"agents": [agent.to_json() for agent in agents]})
        return
    if not agents:
        click.echo("No agents yet: put one under notebooks/, or `agentflow deploy FILE`.")
        return
    print_table(
        f"Agents ({project.environment})",
        ["agent", ">version", "deployed", "working file", "state", "triggers"],
        [
            [
                agent.name,
                f"v{agent.version}" if agent.version else "-",
                agent.deployed_at.strftime("%Y-%m-%d %H:%M") if agent.deployed_at else "-",
                agent.file or "-",
                agent.state,
                ", ".join(agent.triggers) or "-",
            ]
            for agent in agents
        ],
    )
