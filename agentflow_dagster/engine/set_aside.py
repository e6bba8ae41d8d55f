"""A call that money was set aside for, until it is settled and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agentflow_dagster.engine.budgets import ZERO, charge
from agentflow_dagster.ports.ledger import Overrun

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from decimal import Decimal

    from agentflow_dagster.engine.budgets import Pot
    from agentflow_dagster.ports.ledger import CallState, Outcome, PlannedCall
    from agentflow_dagster.ports.model import Usage


class Keeper(Protocol):
    """Whose calls they are."""

    def settle(self, aside: SetAside, usage: Usage, outcome: Outcome) -> None:
        """Ends the call."""
        ...


@dataclass(slots=True, eq=False)
class SetAside:
    """One call, in the account of its ledger, which alone changes it.

    Args:
        keeper: The ledger.
        number: Counts the ledger's calls.
        call: What was planned.
        started_at: When it was reserved, in UTC.
        pots: The budgets that it counts in, those too that limit nothing.
        granted_usd: What it may cost; None where no budget counts.
        bound_usd: What it counts for while it is open; None where its price is not known.
        state: How it ended, or `open`.
        charged_usd: What it counts for.
        usage: What it took, once it has ended.
        ended_at: When.
    """

    keeper: Keeper
    number: int
    call: PlannedCall
    started_at: datetime
    pots: Sequence[Pot]
    granted_usd: Decimal | None
    bound_usd: Decimal | None
    state: CallState = "open"
    charged_usd: Decimal = ZERO
    usage: Usage | None = None
    ended_at: datetime | None = None

    def __post_init__(self) -> None:
        self.charged_usd = self.held_usd
        for pot in self.pots:
            pot.hold(self.charged_usd)

    @property
    def held_usd(self) -> Decimal:
        """What it holds of its budgets while it is open."""
        return ZERO if self.bound_usd is None else self.bound_usd

    def settle(self, usage: Usage, outcome: Outcome = "answered") -> None:
        """Notes what the call took.

        Raises:
            RuntimeError: it was settled before.
        """
        self.keeper.settle(self, usage, outcome)

    def end(self, usage: Usage, outcome: Outcome, at: datetime) -> Overrun | None:
        """Takes its cost off the budgets; what it cost beyond its bound, if it did.

        Raises:
            RuntimeError: it has ended.
        """
        if self.state != "open":
            raise RuntimeError(f"This call of {self.call.model!r} was settled before.")
        self.state, self.usage, self.ended_at = outcome, usage, at
        self.charged_usd = charge(usage, outcome, self.bound_usd)
        for pot in self.pots:
            pot.settle(self.held_usd, self.charged_usd)
        if self.granted_usd is None or self.charged_usd <= self.granted_usd:
            return None
        return Overrun(self.call, self.granted_usd, self.charged_usd)


def month_of(moment: datetime) -> date:
    """The first day of a moment's month."""
    return moment.date().replace(day=1)
