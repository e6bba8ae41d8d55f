"""`agentflow diff`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agentflow_dagster.ports.stores import VersionStore
    from agentflow_dagster.spec.diff import Change
    from agentflow_dagster.spec.values import JsonValue

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "renamed": ">"}
_COLOURS = {"added": "green", "removed": "red", "changed": "yellow", "renamed": "cyan"}
_WIDEST = 500


@click.command("diff")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print {same, changes: […]}.")
def command(old: str, new: str, as_json: bool) -> int:
    """Compare two agents by what they mean: files, or deployed versions.

    A and B are files, NAME (what is live), NAME:3 (a version), NAME:TAG or NAME@HASH. Texts are
    compared word by word. Exit status: 0 the same, 1 different, 2 used wrongly.

    \b
    Examples:
      agentflow diff support-triage notebooks/support_triage.agent.yaml
      agentflow diff support-triage:1 support-triage:2 --json
    """
    from agentflow_dagster.cli.context import current_project, known_kinds
    from agentflow_dagster.cli.output import print_json
    from agentflow_dagster.errors import DocumentError
    from agentflow_dagster.operations.diff import compare, is_file_name
    from agentflow_dagster.operations.stores import project_stores

    names = not (is_file_name(old) and is_file_name(new))
    project = current_project() if names else None
    with ExitStack() as opened:

        def versions() -> VersionStore:
            return opened.enter_context(project_stores(project or current_project())).versions

        try:
            found = compare(
                old,
                new,
                known_kinds(),
                environment=project.environment if project else "",
                versions=versions,
            )
        except DocumentError as problem:
            for one in problem.diagnostics:
                click.echo(str(one), err=True)
            return 2
    if as_json:
        print_json({"same": not found.changes, "changes": [c.to_json() for c in found.changes]})
    for change in () if as_json else found.changes:
        _print(change)
    if not found.changes and not as_json:
        click.echo("They mean the same.")
    return 1 if found.changes else 0


def _print(change: Change) -> None:
    from agentflow_dagster.cli.output import shown

    sign, colour = _SIGNS[change.change], _COLOURS[change.change]
    path = ".".join(str(step) for step in change.path).removeprefix("spec.")
    if change.change == "renamed":
        click.secho(shown(f"{sign} nodes.{change.before} is now {change.after}"), fg=colour)
        return
    click.secho(shown(f"{sign} {path}"), fg=colour)
    if change.words:
        text = "".join(_marked(piece.change, piece.text) for piece in change.words)
        click.echo("    " + text.replace("\n", "\n    "))
        return
    for sign, value in (("-", change.before), ("+", change.after)):
        kind = "removed" if sign == "-" else "added"
        if change.change in {"changed", kind}:
            click.secho(shown(f"    {sign} {_short(value)}"), fg=_COLOURS[kind])


def _marked(change: str, text: str) -> str:
    """Some words of a text: coloured, and marked for those who see no colours."""
    from agentflow_dagster.cli.output import shown

    if change == "same":
        return shown(text)
    marked = f"[-{shown(text)}-]" if change == "removed" else f"{{+{shown(text)}+}}"
    return click.style(marked, fg=_COLOURS[change])


def _short(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
