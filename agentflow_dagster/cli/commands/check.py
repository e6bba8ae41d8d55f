"""`agentflow check`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print {diagnostics: […]} on stdout.")
def command(files: tuple[Path, ...], as_json: bool) -> int:
    """Say what is wrong with agent files (YAML, JSON or notebooks).

    \b
    Examples:
      agentflow check notebooks/*.agent.yaml notebooks/*.ipynb
      agentflow check my.agent.yaml --json | jq '.diagnostics[] | .message'
    """
    from agentflow_dagster.cli.context import known_kinds
    from agentflow_dagster.cli.output import print_json, shown
    from agentflow_dagster.operations.check import check_file
    from agentflow_dagster.spec.diagnostics import has_errors

    kinds = known_kinds()
    found = [d for file in files for d in check_file(file, kinds).diagnostics]
    if as_json:
        print_json({"diagnostics": [d.to_json() for d in found]})
        return 1 if has_errors(found) else 0
    for one in found:
        click.secho(shown(str(one)), fg="red" if one.severity == "error" else "yellow")
    errors = sum(d.severity == "error" for d in found)
    warnings = len(found) - errors
    click.echo(f"{len(files)} checked: {errors} errors, {warnings} warnings.", err=True)
    return 1 if errors else 0
