"""`agentflow kinds`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("kinds")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print what kinds say of themselves as JSON.")
@click.option(
    "--pages",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the pages of the kinds that ship into this folder.",
)
def command(name: str | None, as_json: bool, folder: Path | None) -> None:
    """List the node kinds, those of plugins too, or show the page of one.

    \b
    Examples:
      agentflow kinds
      agentflow kinds ai.extract
    """
    from agentflow_dagster.cli.context import known_kinds
    from agentflow_dagster.cli.output import print_json, print_table, shown
    from agentflow_dagster.nodes import builtin_kinds
    from agentflow_dagster.operations import kind_pages

    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in kind_pages.pages(builtin_kinds()).items():
            (folder / file).write_text(text, encoding="utf-8")
        return
    kinds = known_kinds()
    chosen = [kind_pages.find_kind(kinds, name)] if name else [kinds[n] for n in sorted(kinds)]
    if as_json:
        facts = [kind_pages.kind_facts(kind) for kind in chosen]
        print_json(facts[0] if name else {"kinds": [*facts]})
    elif name:
        click.echo(shown(kind_pages.page(chosen[0])))
    else:
        print_table("", ["kind", "what a node of it does"], [[k.name, k.summary] for k in chosen])
