"""What a run's calls of models took, on the run itself: tags, by which Dagster's UI filters."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

from agentflow_dagster.orchestration import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster import DagsterInstance

    from agentflow_dagster.engine.spending import Spending
    from agentflow_dagster.ports.ledger import Ledger


def spending_tags(spending: Spending) -> dict[str, str]:
    """`agentflow/cost_usd` and the like; none where no model was asked."""
    return {f"{names.SPENT_TAG}{name}": told for name, told in spending.figures().items()}


def tag_spending(
    instance: DagsterInstance, run_id: str, spending: Spending, ledger: Ledger | None
) -> None:
    """Adds what one step took to the tags of a run whose steps come one after the other.

    Args:
        instance: Where the run is recorded.
        run_id: The run.
        spending: Of the step.
        ledger: Knows what the whole run has cost, in processes before this one, too.
    """
    told = spending_tags(spending)
    run = instance.get_run_by_id(run_id) if told else None
    if run is None:
        return
    total = {
        name: f"{Decimal(run.tags.get(name, '0')) + Decimal(amount):f}"
        for name, amount in told.items()
    }
    cost = f"{names.SPENT_TAG}cost_usd"
    if ledger is not None and (known := asyncio.run(ledger.spent_by(run_id))) > Decimal(
        total[cost]
    ):
        total[cost] = f"{known:f}"  # Calls of a process that was killed are told there alone.
    instance.add_run_tags(run_id, total)


def ancestors(tags: Mapping[str, str]) -> tuple[str, ...]:
    """The runs that a run is a child of, the nearest first, as its tags say."""
    parent = tags.get(names.PARENT_RUN_TAG)
    above = tags.get(names.ANCESTORS_TAG, "")
    return (parent, *filter(None, above.split(","))) if parent else ()


def told_ancestors(tags: Mapping[str, str]) -> dict[str, str]:
    """The tag of a child of the run with these tags."""
    above = ancestors(tags)
    return {names.ANCESTORS_TAG: ",".join(above)} if above else {}
