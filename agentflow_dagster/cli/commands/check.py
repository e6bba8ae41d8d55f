"""`agentflow check`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print {diagnostics: […]} on stdout.")
@click.option("--fix", is_flag=True, help="Mend in the files what is safe to mend.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option("--explain", metavar="CODE", help="Say what a code means; `all` prints every one.")
def command(
    files: tuple[Path, ...], as_json: bool, fix: bool, diff: bool, explain: str | None
) -> int:
    """Say what is wrong with agent files (YAML, JSON or notebooks).

    \b
    Examples:
      agentflow check notebooks/*.agent.yaml notebooks/*.ipynb
      agentflow check my.agent.yaml --json | jq '.diagnostics[] | .message'
      agentflow check my.agent.yaml --diff
      agentflow check --explain AF207
    """
    from agentflow_dagster.cli.context import known_kinds
    from agentflow_dagster.cli.output import print_json
    from agentflow_dagster.cli.problems import by_place, summary, told
    from agentflow_dagster.operations.agents import agents_around
    from agentflow_dagster.operations.check import check_file
    from agentflow_dagster.spec.diagnostics import has_errors

    if explain is not None:
        return _explain(explain)
    if not files:
        raise click.UsageError("Missing argument 'FILES...'.")
    kinds = known_kinds()
    if fix or diff:
        from agentflow_dagster.operations.mend import mend_file

        for file in files:
            mended = mend_file(file, kinds, write=not diff)
            if not as_json:
                _show_diff(mended.diff)
    agents = agents_around(files)
    checked = [check_file(file, kinds, agents=agents) for file in files]
    found = [d for file in checked for d in by_place(file.diagnostics)]
    if as_json:
        print_json({"diagnostics": [d.to_json() for d in found]})
        return 1 if has_errors(found) else 0
    for file in checked:
        for one in by_place(file.diagnostics):
            click.echo(told(one, file.text))
    click.echo(summary(len(files), found), err=True)
    return 1 if has_errors(found) else 0


def _explain(code: str) -> int:
    from agentflow_dagster.errors import UsageError
    from agentflow_dagster.spec.catalogue import CATALOGUE, explained, page
    from agentflow_dagster.spec.diagnostics import nearest

    if code.lower() == "all":
        click.echo(page(), nl=False)
        return 0
    entry = CATALOGUE.get(code.upper())
    if entry is None:
        hint = nearest(code.upper(), CATALOGUE)
        raise UsageError(f"There is no diagnostic {code!r}.", hint=hint)
    click.echo(explained(entry), nl=False)
    return 0


def _show_diff(diff: str) -> None:
    from agentflow_dagster.cli.output import shown

    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in diff.splitlines():
        click.secho(shown(line), fg=colours.get(line[:1]))
