"""What is left of a budget, and what a call is granted of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from agentflow_dagster.errors import BudgetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agentflow_dagster.ports.ledger import BudgetKind, Caller, Outcome, PlannedCall
    from agentflow_dagster.ports.model import Usage

ZERO = Decimal(0)
WORKSPACE = "workspace"
"""The scope of what all agents spend together in a month."""
_SMALLEST = Decimal("1e-12")
_UNBILLED: tuple[Outcome, ...] = ("refused", "kept")


@dataclass(slots=True, eq=False)
class Pot:
    """What a budget has. A call holds money of it until it is settled.

    Args:
        kind: Which budget.
        name: Whose: a run's id, an agent's name.
        limit: USD that may be spent; None counts, and limits nothing.
        spent, held: USD that settled calls took, and that open ones may take.
    """

    kind: BudgetKind
    name: str = ""
    limit: Decimal | None = None
    spent: Decimal = ZERO
    held: Decimal = ZERO

    @property
    def left(self) -> Decimal | None:
        """USD that are neither spent nor held; None has no limit."""
        if self.limit is None:
            return None
        return max(self.limit - self.spent - self.held, ZERO)

    @property
    def left_in_all(self) -> Decimal:
        """What a refusal says is left of a limit."""
        return self.left or ZERO

    def hold(self, usd: Decimal) -> None:
        """Sets money aside."""
        self.held += usd

    def settle(self, held: Decimal, charged: Decimal) -> None:
        """Takes what a call counts for, and sets free what it held."""
        self.held -= held
        self.spent += charged


def counted(usd: Decimal) -> Decimal:
    """An amount as it is added up: to twelve digits, upward. Python adds 28 digits exactly, so that
    sums here and in a database agree."""
    return usd if _is_short(usd) else usd.quantize(_SMALLEST, rounding=ROUND_CEILING)


def limit_counted(usd: Decimal) -> Decimal:
    """A limit in the same digits, downward."""
    return usd if _is_short(usd) else usd.quantize(_SMALLEST, rounding=ROUND_FLOOR)


def _is_short(usd: Decimal) -> bool:
    exponent = usd.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -12


def agent_scope(agent: str) -> str:
    """The scope of what one agent spends in a month."""
    return f"agent/{agent}"


def month_limits(caller: Caller, workspace_usd: Decimal | None) -> Sequence[tuple[str, Decimal]]:
    """The budgets of a month that limit a call: scope and USD."""
    limits = ((agent_scope(caller.agent), caller.monthly_usd), (WORKSPACE, workspace_usd))
    return [(scope, limit_counted(limit)) for scope, limit in limits if limit is not None]


def limited(pots: Iterable[Pot]) -> list[Pot]:
    """Those that limit what is spent."""
    return [pot for pot in pots if pot.limit is not None]


def lacking(call: PlannedCall, pots: Iterable[Pot]) -> Pot | None:
    """The first that has less left than a call needs."""
    for pot in pots:
        left = pot.left
        if left is not None and (left < call.least_usd or (not left and call.most_usd)):
            return pot
    return None


def granted(most: Decimal, pots: Iterable[Pot]) -> Decimal:
    """The most that all of them have, and no more than is asked for."""
    for pot in pots:
        left = pot.left
        if left is not None and left < most:
            most = left
    return most


def charge(usage: Usage, outcome: Outcome, bound: Decimal | None) -> Decimal:
    """What a call counts for in its budgets. Where nobody knows its cost, that is its bound."""
    cost = usage.cost_usd
    if cost is not None and cost.is_finite():
        return counted(max(cost, ZERO))
    return ZERO if outcome in _UNBILLED else bound or ZERO


def run_limit(caller: Caller) -> Decimal | None:
    """What a caller's run may spend."""
    return None if caller.per_run_usd is None else limit_counted(caller.per_run_usd)


def most_of(call: PlannedCall) -> Decimal | None:
    """What a call asks for, as it is added up; None where its price is not known."""
    return None if call.most_usd is None else counted(max(call.most_usd, call.least_usd))


def refusal(call: PlannedCall, pot: Pot, month: str) -> BudgetError:
    """Why a call is not made.

    Args:
        call: Which.
        pot: What has not enough left for it.
        month: `2026-11`.
    """
    limit, left = pot.limit or ZERO, pot.left_in_all
    whose = _whose(pot, month)
    return BudgetError(
        f"A call of {call.model!r} needs {usd(call.least_usd)} at least, and of the {usd(limit)}"
        f" that {whose} {usd(left)} are left.",
        budget=pot.kind,
        limit_usd=limit,
        left_usd=left,
        hint=_HINTS[pot.kind],
    )


def unknown_price(call: PlannedCall, pot: Pot, month: str) -> BudgetError:
    """Why a call of a model is not made whose price nobody knows."""
    limit = pot.limit or ZERO
    return BudgetError(
        f"The price of {call.model!r} ({call.provider}) is not known, so that nobody can say"
        f" whether it stays within the {usd(limit)} that {_whose(pot, month)}.",
        budget=pot.kind,
        limit_usd=limit,
        left_usd=pot.left_in_all,
        hint="Say its price in the project's catalogue of models, or use another model.",
    )


def usd(amount: Decimal) -> str:
    """`0.0125 USD`."""
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text} USD"


def _whose(pot: Pot, month: str) -> str:
    match pot.kind:
        case "run":
            return f"run {pot.name} may spend"
        case "agent":
            return f"agent {pot.name!r} may spend in {month}"
        case "workspace":
            return f"the workspace may spend in {month}"


_HINTS: dict[BudgetKind, str] = {
    "run": "Raise `budget.perRunUsd` of the agent, or ask for less (`maxTokens`).",
    "agent": "Raise `budget.monthlyUsd` of the agent; `agentflow costs --budgets` shows them all.",
    "workspace": "Raise AGENTFLOW_MONTHLY_USD; `agentflow costs --budgets` shows what was spent.",
}
