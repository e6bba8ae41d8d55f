"""`%agentflow open`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow_dagster.jupyter.here import project_here
from agentflow_dagster.jupyter.tables import Link, Table

if TYPE_CHECKING:
    import argparse

    from agentflow_dagster.jupyter.commands import Asked

SUMMARY = "Opens a step of a past run as a notebook, with its real inputs."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which step."""
    parser.add_argument("run", metavar="RUN", help="the run's id, or its first characters")
    parser.add_argument("node", metavar="NODE", nargs="?", help="the node; without it, which are")


def carry_out(asked: Asked) -> Table:
    """Makes the notebook and links it; without a node, says which there are.

    Raises:
        UsageError: there is no such run or node, or nothing of it is kept.
    """
    from agentflow_dagster.nodes import all_kinds
    from agentflow_dagster.operations.open_step import open_step, steps_of

    project, kinds = project_here(), all_kinds()
    if asked.options.node is None:
        run, steps = steps_of(project, kinds, asked.options.run)
        rows = [(s.node, s.kind, s.status) for s in steps]
        note = f"%agentflow open {run.run_id} NODE opens one."
        return Table(f"{run.agent}, run {run.run_id}", ("node", "kind", "status"), rows, note=note)
    opened = open_step(project, kinds, asked.options.run, asked.options.node)
    shown = os.path.relpath(opened.path, Path.cwd())
    what = "made" if opened.made else "was open already; what you changed in it stays"
    return Table("", ("", ""), [(Link(shown, shown), what)])
