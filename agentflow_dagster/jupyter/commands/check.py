"""`%agentflow check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.jupyter.commands.which import which_file, with_file
from agentflow_dagster.jupyter.here import project_here, unsaved
from agentflow_dagster.jupyter.tables import Table

if TYPE_CHECKING:
    import argparse

    from agentflow_dagster.jupyter.commands import Asked

SUMMARY = "Says what is wrong with the agent that this notebook is."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which file."""
    with_file(parser)


def carry_out(asked: Asked) -> Table:
    """Checks the notebook as it was saved."""
    from agentflow_dagster.nodes import all_kinds
    from agentflow_dagster.operations.agents import agents_around
    from agentflow_dagster.operations.check import check_file

    path = which_file(asked)
    name = project_here().relative(path)
    checked = check_file(path, all_kinds(), file=name, agents=agents_around([path]))
    rows = [
        (
            "" if one.cell is None else f"cell {one.cell + 1}",
            "" if one.line is None else f"line {one.line}",
            f"{one.severity} {one.code}",
            f"{one.message} {one.hint}".strip(),
        )
        for one in sorted(checked.diagnostics, key=lambda d: (d.cell or 0, d.line or 0))
    ]
    sound = "" if checked.plan is None else f"{len(checked.plan.steps)} nodes. "
    older = unsaved(path, asked.session)
    note = f"{sound}The file is not what ran here: {older}" if older else sound.strip()
    return Table(name, ("", "", "", ""), rows, note=note, empty="Nothing is wrong.")
