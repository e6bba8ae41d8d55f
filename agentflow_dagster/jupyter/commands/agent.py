"""`%%agentflow agent`: what is of the agent as a whole, as YAML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError
from agentflow_dagster.jupyter.tables import Table
from agentflow_dagster.notebook import NotebookCell
from agentflow_dagster.notebook.settings import KNOWN, read_agent_cell

if TYPE_CHECKING:
    import argparse

    from agentflow_dagster.jupyter.commands import Asked
    from agentflow_dagster.spec.values import JsonValue

SUMMARY = "Says, as YAML, what is of the agent as a whole: triggers, budget, labels, outputs."


def arguments(parser: argparse.ArgumentParser) -> None:
    """None; the cell has everything."""
    parser.epilog = f"The cell is YAML with any of: {', '.join(KNOWN)}."


def carry_out(asked: Asked) -> Table:
    """Reads the cell; what nodes run with here takes its defaults from it.

    Raises:
        UsageError: it is not YAML, or has a field that no agent has.
    """
    read = read_agent_cell(NotebookCell(-1, "", "agent", asked.cell, first_line=2))
    for one in read.diagnostics:
        raise UsageError(f"Line {one.line}: {one.message}", hint=one.hint)
    asked.session.settings = read.values
    rows = [(name, _told(value)) for name, value in read.values.items()]
    return Table("agent", ("", ""), rows, empty="The cell says nothing.")


def _told(value: JsonValue) -> str:
    match value:
        case dict():
            return ", ".join(value)
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)
