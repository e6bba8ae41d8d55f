"""`%agentflow costs`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agentflow_dagster.jupyter.commands.which import agent_name, with_file
from agentflow_dagster.jupyter.here import project_here
from agentflow_dagster.jupyter.node_states import cost
from agentflow_dagster.jupyter.tables import Link, Table

if TYPE_CHECKING:
    import argparse

    from agentflow_dagster.jupyter.commands import Asked
    from agentflow_dagster.jupyter.services import PastRun
    from agentflow_dagster.operations.costs import Sum

SUMMARY = "Says what the newest runs of the agent cost."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Whose, and how many."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="another agent")
    parser.add_argument("--limit", type=int, default=20, help="most runs (20)")
    with_file(parser)


def carry_out(asked: Asked) -> Table:
    """A row a run, and below them what they cost together."""
    from agentflow_dagster.jupyter.project_services import past_runs
    from agentflow_dagster.operations.costs import costs_of_runs

    name = asked.options.name or agent_name(asked)
    project = project_here()
    runs = past_runs(project, name, limit=max(1, min(asked.options.limit, 1000)))
    begun = [run.started_at for run in runs if run.started_at]
    account = costs_of_runs(project, name, min(begun)) if begun else {}
    runs = [with_account(run, account.get(run.run_id)) for run in runs]
    rows = [
        (
            Link(run.run_id[:8], run.url),
            run.status.lower(),
            run.started_at.strftime("%Y-%m-%d %H:%M:%S") if run.started_at else "",
            *_counts(account.get(run.run_id)),
            cost(run.cost),
        )
        for run in runs
    ]
    columns = ("run", "status", "started", ">calls", ">tokens", ">cost")
    return Table(f"Costs of {name}", columns, rows, note=_total(runs), empty="No runs yet.")


def with_account(run: PastRun, took: Sum | None) -> PastRun:
    """A run with what its calls cost by their account, which has those of steps that failed, too;
    as it is where there is none."""
    if took is None:
        return run
    return replace(run, cost=None if took.unpriced else float(took.cost_usd))


def _counts(took: Sum | None) -> tuple[str, str]:
    if took is None:
        return "", ""
    return f"{took.calls:,}", f"{took.tokens_in:,}+{took.tokens_out:,}"


def _total(runs: list[PastRun]) -> str:
    known = [run.cost for run in runs if run.cost is not None]
    if not known:
        return ""
    beside = len(runs) - len(known)
    more = f", and {beside} whose price is not known" if beside else ""
    return f"{len(known)} runs: {cost(sum(known))}{more}."
