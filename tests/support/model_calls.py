"""Calls to models as a ledger is told of them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from agentflow_dagster.ports.ledger import Caller, PlannedCall
from agentflow_dagster.ports.model import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence


def planned(
    most: str | None = "0.10",
    least: str = "0.01",
    *,
    run: str = "run",
    agent: str = "triage",
    per_run: str | None = None,
    monthly: str | None = None,
    parents: Sequence[str] = (),
    model: str = "gpt-4o-mini",
    node: str = "draft",
) -> PlannedCall:
    """A call that costs so much at most (USD)."""
    return PlannedCall(
        Caller(
            *(run, agent, node),
            parents=tuple(parents),
            per_run_usd=_usd(per_run),
            monthly_usd=_usd(monthly),
        ),
        "openai",
        model,
        Decimal(least),
        _usd(most),
        "cheapest",
    )


def used(cost: str | Decimal | None = "0.05", *, tokens: int = 10) -> Usage:
    """What a call took that cost so much (USD)."""
    usd = None if cost is None else Decimal(cost)
    return Usage(tokens, tokens // 2, usd, 12.5, "gpt-4o-mini", "openai", tokens_cached=1)


def _usd(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
