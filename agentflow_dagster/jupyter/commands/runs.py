"""`%agentflow runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.jupyter.commands.which import agent_name, with_file
from agentflow_dagster.jupyter.here import project_here

if TYPE_CHECKING:
    import argparse

    from agentflow_dagster.jupyter.commands import Asked
    from agentflow_dagster.jupyter.widgets.history import RunHistory

SUMMARY = "Shows the newest runs of the agent, or of NAME."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Whose, and how many."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="another agent")
    parser.add_argument("--all", action="store_true", help="of all agents")
    parser.add_argument("--limit", type=int, default=50, help="most runs (50)")
    with_file(parser)


def carry_out(asked: Asked) -> RunHistory:
    """The runs, to be filtered and read anew."""
    from agentflow_dagster.jupyter.project_widgets import run_history

    options = asked.options
    name = None if options.all else options.name or agent_name(asked)
    return run_history(project_here(), name, limit=max(1, min(options.limit, 1000)))
