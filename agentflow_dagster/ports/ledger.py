"""What calls of models may cost and did cost: reserved before each, settled after it.

A call has an upper bound that is reserved in every budget it counts for, before any money is spent:
its run's, its agent's of the month, the workspace's of the month. Months are UTC's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from datetime import date

    from agentflow_dagster.ports.model import Usage

BudgetKind = Literal["run", "agent", "workspace"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose call it is, and what its agent may spend.

    Args:
        run_id, agent, version: The run; `version` is the agent's hash, "" for a working file.
        node: The step's path: `draft`, `each[3].draft`.
        attempt: Of the step, 1 for the first.
        parents: Ids of the runs that this one is a child of, the nearest first. What it costs
            counts for them.
        per_run_usd, monthly_usd: The agent's budget; None has no limit.
    """

    run_id: str
    agent: str
    node: str
    attempt: int = 1
    version: str = ""
    parents: tuple[str, ...] = ()
    per_run_usd: Decimal | None = None
    monthly_usd: Decimal | None = None


Outcome = Literal["answered", "refused", "invalid", "lost", "kept"]
"""How a call ended: `answered`; `refused` before anything was billed; `invalid`, answered and
billed, but of no use; `lost`, where nobody knows what was billed (a cut stream, no answer in time);
`kept`, a reply from before, that cost nothing."""

CallState = Literal["open", "answered", "refused", "invalid", "lost", "kept"]
"""How a call ended, or that it has not. A call whose process died is `lost`."""


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call that is about to be made.

    Args:
        caller: Whose.
        provider, model: Who is asked.
        least_usd: What it needs to be of use: all of its input, and some output.
        most_usd: What it may cost at most, did the model say all that it may. None where its price
            is not known.
        reason: Why this model.
    """

    caller: Caller
    provider: str
    model: str
    least_usd: Decimal = Decimal(0)
    most_usd: Decimal | None = Decimal(0)
    reason: str = ""


class Reservation(Protocol):
    """Money set aside for one call, until `settle` is called. It must be, once, however the call
    ended."""

    @property
    def granted_usd(self) -> Decimal | None:
        """What the call may cost: `most_usd`, or less where less is left, `least_usd` at least.
        None where no budget counts."""
        ...

    def settle(self, usage: Usage, outcome: Outcome = "answered") -> None:
        """Notes what the call took. Does not wait for it to be stored; a crash before that leaves
        the call's bound spent.

        Args:
            usage: Its cost is taken off the budgets, its bound where the cost is not known. That of
                a `lost` call is what may have been billed at most.
            outcome: How it ended.

        Raises:
            RuntimeError: it was settled before.
        """
        ...


class Ledger(Protocol):
    """Keeps budgets, and the account of every call."""

    async def reserve(self, call: PlannedCall) -> Reservation:
        """Sets aside what a call may cost in each budget that counts, or in none.

        Raises:
            BudgetError: less is left than the call needs, or its price is not known while a budget
                counts. Nothing has been spent.
            StoreError: a budget counts, and what is left of it cannot be asked, or too many calls
                wait to be stored. Nothing has been spent.
        """
        ...

    async def spent_by(self, run_id: str) -> Decimal:
        """USD that the calls of a run and its children have cost so far, and may yet cost.

        Raises:
            StoreError: what other processes have stored of it cannot be asked.
        """
        ...

    async def take_over(self, run_id: str) -> None:
        """This process goes on with a run whose own is gone: the calls that were open there count
        as lost, at their bound.

        Raises:
            StoreError: what other processes have stored cannot be reached.
        """
        ...

    async def flush(self) -> None:
        """Returns once what was settled is stored.

        Raises:
            StoreError: it cannot be stored now. It is kept, and tried again.
        """
        ...


@dataclass(frozen=True, slots=True)
class Alert:
    """So much of a month's budget is spent; told once for each month and share.

    Args:
        scope: `agent/NAME` or `workspace`.
        month: Its first day.
        percent: 50, 80 or 100. 100 is told, too, when a call is refused for want of what is left.
        spent_usd, limit_usd: As they stood then.
        run_id: The run whose call made it so, where that is known.
    """

    scope: str
    month: date
    percent: int
    spent_usd: Decimal
    limit_usd: Decimal
    run_id: str = ""

    def caused_by(self, run_id: str) -> Alert:
        """The same, by a call of that run."""
        return replace(self, run_id=run_id)

    def __str__(self) -> str:
        budget = f"the budget {self.scope} for {self.month:%Y-%m}"
        spent = f"{self.spent_usd:f} of {self.limit_usd:f} USD are spent"
        if self.percent == 100 and self.spent_usd < self.limit_usd:
            return f"Calls are refused, since too little is left of {budget}: {spent}."
        return f"{self.percent} % of {budget} are used: {spent}."


@dataclass(frozen=True, slots=True)
class Overrun:
    """A call cost more than it was granted. It is counted as it is.

    Args:
        call: Which.
        granted_usd, cost_usd: What it might cost, and did.
    """

    call: PlannedCall
    granted_usd: Decimal
    cost_usd: Decimal

    def __str__(self) -> str:
        return (
            f"A call of {self.call.model!r} in run {self.call.caller.run_id} cost"
            f" {self.cost_usd:f} USD and was granted {self.granted_usd:f}."
        )
