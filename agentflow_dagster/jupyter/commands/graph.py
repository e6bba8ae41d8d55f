"""`%agentflow graph`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.errors import DocumentError
from agentflow_dagster.jupyter.commands.which import which_file, with_file

if TYPE_CHECKING:
    import argparse

    from agentflow_dagster.jupyter.commands import Asked
    from agentflow_dagster.jupyter.widgets.graph import GraphWidget

SUMMARY = "Shows the agent as a graph."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which file."""
    with_file(parser)


def carry_out(asked: Asked) -> GraphWidget:
    """The graph of the notebook as it was saved, of one with errors in its meaning, too.

    Raises:
        DocumentError: it cannot be read.
    """
    from agentflow_dagster.jupyter.widgets.graph import show_graph
    from agentflow_dagster.nodes import all_kinds
    from agentflow_dagster.operations.check import check_file

    kinds = all_kinds()
    checked = check_file(which_file(asked), kinds)
    if checked.agent is None:
        raise DocumentError([d for d in checked.diagnostics if d.severity == "error"])
    return show_graph(checked.agent, kinds)
