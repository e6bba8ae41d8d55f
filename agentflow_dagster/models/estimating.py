"""What a call may be expected to take, before anybody is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.models.expecting import expected_output, expected_usd, tokens_of
from agentflow_dagster.models.pricing import bound

if TYPE_CHECKING:
    from decimal import Decimal

    from agentflow_dagster.models.routing import Candidate
    from agentflow_dagster.ports.model import ModelRequest


@dataclass(frozen=True, slots=True)
class Likely:
    """What a call may be expected to take.

    Args:
        model, reason: Who would be asked first, and why.
        tokens_in, tokens_out: As expected.
        usd: As expected; None where no price is known.
        most_usd: At most.
    """

    model: str
    reason: str
    tokens_in: int
    tokens_out: int
    usd: Decimal | None
    most_usd: Decimal | None


def likely(request: ModelRequest, candidate: Candidate) -> Likely:
    """What a call may be expected to take, if a model answers it that may."""
    entry = candidate.entry
    return Likely(
        model=candidate.choice.name,
        reason=candidate.reason,
        tokens_in=tokens_of(request),
        tokens_out=expected_output(request),
        usd=expected_usd(request, entry),
        most_usd=bound(request, entry).most_usd,
    )
