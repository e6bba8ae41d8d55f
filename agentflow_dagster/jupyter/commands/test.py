"""`%agentflow test`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.jupyter.commands.which import saved_file, with_file
from agentflow_dagster.jupyter.front_end import has_front_end
from agentflow_dagster.jupyter.here import project_here

if TYPE_CHECKING:
    import argparse

    from agentflow_dagster.jupyter.commands import Asked
    from agentflow_dagster.jupyter.widgets.bench import TestBench

SUMMARY = "Runs the agent's tests, and shows what was expected and what came."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which file."""
    with_file(parser)


def carry_out(asked: Asked) -> TestBench:
    """The tests, under way; where no front end is live, their end is awaited."""
    from agentflow_dagster.jupyter.project_widgets import document_bench
    from agentflow_dagster.nodes import all_kinds

    bench = document_bench(project_here(), all_kinds(), str(saved_file(asked)))
    bench.run()
    if not has_front_end():
        bench.wait()
    return bench
