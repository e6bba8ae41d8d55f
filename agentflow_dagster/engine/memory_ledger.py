"""Budgets and accounts that last as long as this process, where no database is."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from agentflow_dagster.engine.budget_alerts import reached, tell_alert, tell_overrun
from agentflow_dagster.engine.budgets import (
    WORKSPACE,
    ZERO,
    Pot,
    agent_scope,
    granted,
    lacking,
    limited,
    month_limits,
    most_of,
    refusal,
    run_limit,
    unknown_price,
)
from agentflow_dagster.engine.set_aside import SetAside, month_of
from agentflow_dagster.ports.ledger import Alert

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from decimal import Decimal

    from agentflow_dagster.ports.ledger import Caller, Outcome, Overrun, PlannedCall
    from agentflow_dagster.ports.model import Usage


class MemoryLedger:
    """Keeps budgets in memory. Threads and event loops may share it.

    Args:
        workspace_monthly_usd: What all agents together may spend in a month; None has no limit.
        now: The time, in UTC.
        on_alert: Told, once each, when a share of a month's budget is spent.
        on_overrun: Told of each call that cost more than it was granted; None has it logged.
    """

    def __init__(
        self,
        workspace_monthly_usd: Decimal | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_alert: Callable[[Alert], None] | None = None,
        on_overrun: Callable[[Overrun], None] | None = None,
    ) -> None:
        self.on_alert = on_alert
        self.on_overrun = on_overrun
        self._workspace = workspace_monthly_usd
        self._now = now
        self._lock = threading.Lock()
        self._calls: list[SetAside] = []
        self._numbers = count(1)
        self._runs: dict[str, Pot] = {}
        self._months: dict[tuple[str, date], Pot] = {}
        self._told: set[tuple[str, date, int]] = set()

    @property
    def calls(self) -> Sequence[SetAside]:
        """Every call, as it stands, the first first."""
        with self._lock:
            return tuple(self._calls)

    async def reserve(self, call: PlannedCall) -> SetAside:
        """Sets aside what a call may cost in each budget that counts, or in none.

        Raises:
            BudgetError: less is left than the call needs, or its price is not known while a budget
                counts.
        """
        now = self._now()
        month = month_of(now)
        with self._lock:
            runs = self._runs_of(call.caller)
            pots = [*runs, *self._months_of(call.caller, month)]
            counting = limited(pots)
            if counting and call.most_usd is None:
                raise unknown_price(call, counting[0], f"{month:%Y-%m}")
            short = lacking(call, counting)
            if short is not None:
                due = self._due(short, month, (100,) if short.kind != "run" else ())
                refused = refusal(call, short, f"{month:%Y-%m}")
            else:
                bound = most_of(call)
                if bound is not None:
                    bound = granted(bound, counting)
                aside = SetAside(
                    *(self, next(self._numbers), call, now, pots),
                    bound if counting else None,
                    bound,
                )
                self._calls.append(aside)
                return aside
        self._tell(due, call.caller.run_id)
        raise refused

    def settle(self, aside: SetAside, usage: Usage, outcome: Outcome) -> None:
        """Ends a call."""
        now = self._now()
        month = month_of(aside.started_at)
        with self._lock:
            overrun = aside.end(usage, outcome, now)
            due = [
                alert
                for pot in aside.pots
                if pot.kind != "run"
                for alert in self._due(pot, month, reached(pot.spent, pot.limit))
            ]
        self._tell(due, aside.call.caller.run_id)
        if overrun is not None:
            tell_overrun(overrun, self.on_overrun)

    async def spent_by(self, run_id: str) -> Decimal:
        """USD that the calls of a run and its children have cost so far, and may yet cost."""
        with self._lock:
            pot = self._runs.get(run_id)
            return pot.spent + pot.held if pot else ZERO

    async def take_over(self, run_id: str) -> None:
        """No other process knows of it."""

    async def flush(self) -> None:
        """Nothing is stored."""

    def _runs_of(self, caller: Caller) -> list[Pot]:
        names = dict.fromkeys((caller.run_id, *caller.parents))
        pots = [self._runs.setdefault(name, Pot("run", name)) for name in names]
        pots[0].limit = run_limit(caller)
        return pots

    def _months_of(self, caller: Caller, month: date) -> list[Pot]:
        pots: list[Pot] = []
        for scope, limit in month_limits(caller, self._workspace):
            kind = "workspace" if scope == WORKSPACE else "agent"
            pot = self._months.setdefault((scope, month), Pot(kind, caller.agent))
            pot.limit = limit
            pots.append(pot)
        return pots

    def _due(self, pot: Pot, month: date, percents: Sequence[int]) -> list[Alert]:
        """Alerts that were not told yet, which they are now."""
        scope = WORKSPACE if pot.kind == "workspace" else agent_scope(pot.name)
        fresh = [percent for percent in percents if (scope, month, percent) not in self._told]
        self._told.update((scope, month, percent) for percent in fresh)
        limit = pot.limit or ZERO
        return [Alert(scope, month, percent, pot.spent, limit) for percent in fresh]

    def _tell(self, due: Sequence[Alert], run_id: str) -> None:
        for alert in due:
            tell_alert(alert.caused_by(run_id), self.on_alert)
