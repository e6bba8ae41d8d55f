"""`agentflow deploy`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("deploy")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was deployed as JSON.")
def command(files: tuple[Path, ...], as_json: bool) -> None:
    """Store agents as immutable versions and make them live.

    All files are checked first; one error deploys none. The same content again changes nothing.
    A run goes on with the version that it started with.

    \b
    Example:
      agentflow deploy notebooks/support_triage.agent.yaml notebooks/invoice_check.ipynb
    """
    from agentflow_dagster.cli.context import current_project, known_kinds
    from agentflow_dagster.cli.output import print_json
    from agentflow_dagster.operations.deploy import deploy_files
    from agentflow_dagster.operations.publish import publish
    from agentflow_dagster.operations.stores import project_stores

    project = current_project()
    with project_stores(project) as stores:
        done = deploy_files(project, stores.versions, known_kinds(), files)
    changed = [one.deployment for one in done if one.changed]
    reloaded = bool(changed) and publish(
        project,
        changed,
        new_limits=[one.deployment for one in done if one.changed and one.new_limit],
        came_or_went=any(one.new for one in done),
    )
    if as_json:
        print_json(
            {
                "deployed": [
                    {
                        "agent": one.deployment.version.agent,
                        "version": one.deployment.version.number,
                        "hash": one.deployment.version.hash,
                        "environment": one.deployment.environment,
                        "changed": one.changed,
                    }
                    for one in done
                ],
                "reloaded": reloaded,
            }
        )
        return
    for one in done:
        version = one.deployment.version
        what = "is live" if one.changed else "was live already; nothing changed"
        click.echo(f"{version.agent} v{version.number} ({version.hash[:12]}) {what}.")
