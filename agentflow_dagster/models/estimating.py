"""What a call may be expected to take, before anybody is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.models.pricing import bound, bytes_of
from agentflow_dagster.models.routing import USUAL_OUTPUT, expected_usd

if TYPE_CHECKING:
    from decimal import Decimal

    from agentflow_dagster.models.routing import Candidate
    from agentflow_dagster.ports.model import ModelRequest

_BYTES_PER_TOKEN = 4


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
        tokens_in=bytes_of(request) // _BYTES_PER_TOKEN,
        tokens_out=min(request.max_tokens or USUAL_OUTPUT, USUAL_OUTPUT),
        usd=expected_usd(request, entry) if entry.is_priced else None,
        most_usd=bound(request, entry).most_usd,
    )
