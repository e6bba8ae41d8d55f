"""`agentflow estimate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from decimal import Decimal

    from agentflow_dagster.operations.estimate import Estimate


@click.command("estimate")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--input", "given", default="{}", metavar="JSON|@FILE", help="The run's input.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(file: Path, given: str, *, as_json: bool) -> None:
    """Say what a run of an agent may be expected to cost. Nothing is run, and no model asked.

    \b
    Examples:
      agentflow estimate notebooks/inbox.agent.yaml --input '{"body": "It crashes on save."}'
      agentflow estimate notebooks/research_summary.ipynb --input @params.json --json
    """
    from agentflow_dagster.cli.context import current_project, known_kinds, read_input
    from agentflow_dagster.cli.output import print_json
    from agentflow_dagster.operations.estimate import estimate

    found = estimate(current_project(), known_kinds(), file, read_input(given))
    if as_json:
        print_json(found.to_json())
    else:
        _print(found)


def _print(found: Estimate) -> None:
    from agentflow_dagster.cli.output import print_table

    if not found.nodes:
        click.echo(f"{found.agent} asks no model: its runs cost nothing.")
        return
    rows = [
        [
            *(node.node, str(node.calls), node.model),
            *(f"{node.tokens_in:,}", f"{node.tokens_out:,}"),
            *(_usd(node.usd), _usd(node.most_usd)),
        ]
        for node in found.nodes
    ]
    if len(rows) > 1:
        rows.append(["all", "", "", "", "", _usd(found.usd), _usd(found.most_usd)])
    columns = ["node", ">calls", "model", ">in", ">out", ">expected", ">at most"]
    print_table(f"A run of {found.agent}, in USD", columns, rows)


def _usd(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"{amount:.6f}".rstrip("0").rstrip(".")
