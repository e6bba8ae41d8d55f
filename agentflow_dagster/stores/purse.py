"""What a process has leased of a month's budget, and how much it leases at a time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

from agentflow_dagster.engine.budgets import ZERO, Pot

if TYPE_CHECKING:
    from datetime import date

SLICES = 20
"""A lease is this part of what is left."""
_SMALLEST = Decimal("0.000000001")


@dataclass(slots=True, eq=False, kw_only=True)
class Purse(Pot):
    """A lease, as this process knows it; `limit` is the budget's, `held` is of the lease.

    Args:
        scope, month: Of which budget.
        leased: USD that are leased, less what settled calls have taken.
        giving: Of these, what is on its way back.
        elsewhere: What was left of the budget, unleased, when it was last asked.
        largest: The most that one call asked for, when it was last asked.
        valid_until: Until when the lease holds (monotonic seconds).
        refused_by: The run whose call was refused, until that is told.
        told: The alerts that are told, in percent.
        used: Whether a call has had money of it since the lease was last renewed.
    """

    scope: str
    month: date
    leased: Decimal = ZERO
    giving: Decimal = ZERO
    elsewhere: Decimal = ZERO
    largest: Decimal = ZERO
    valid_until: float = 0.0
    refused_by: str = ""
    told: set[int] = field(default_factory=set[int])
    used: bool = False

    @property
    def left(self) -> Decimal:
        """USD that a call may have without asking the database."""
        if time.monotonic() >= self.valid_until:
            return ZERO
        return max(self.leased - self.held - self.giving, ZERO)

    @property
    def left_in_all(self) -> Decimal:
        """What a refusal says is left of the budget."""
        return self.left + self.elsewhere

    @property
    def near(self) -> bool:
        """Whether so little is left that nothing is kept idle."""
        return is_near(self.elsewhere, self.largest)

    @property
    def idle(self) -> Decimal:
        """USD that no call holds."""
        return max(self.leased - self.held - self.giving, ZERO)

    def hold(self, usd: Decimal) -> None:
        """Sets money aside."""
        self.held += usd
        self.used = True

    def settle(self, held: Decimal, charged: Decimal) -> None:
        """Takes what a call counts for out of the lease; what it cost beyond its bound is the
        budget's."""
        self.held -= held
        self.leased -= min(held, charged)


def is_near(left: Decimal, largest: Decimal) -> bool:
    """Whether a slice of what is left is less than a call asks for."""
    return left < largest * SLICES


def slice_of(left: Decimal, asked: Decimal, largest: Decimal) -> Decimal:
    """What a process gets of what is left of a budget: what it asks for, and more while there is
    much."""
    if asked <= 0 or left <= 0:
        return ZERO
    if is_near(left, largest):
        return min(left, asked)
    share = (left / SLICES).quantize(_SMALLEST, rounding=ROUND_DOWN)
    return min(left, max(asked, share))
