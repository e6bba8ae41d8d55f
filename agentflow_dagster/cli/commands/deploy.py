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
    from agentflow_dagster.operations.publish import deploy_and_publish

    done, reloaded = deploy_and_publish(current_project(), known_kinds(), files)
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
