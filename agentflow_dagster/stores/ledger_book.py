"""What a process knows of budgets and of its own calls, between what it stores of them.

A call whose budgets have enough in memory is granted there. Others ask, and are answered once the
database was asked for all of them together.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentflow_dagster.engine.budgets import (
    WORKSPACE,
    ZERO,
    Pot,
    granted,
    lacking,
    month_limits,
    most_of,
    refusal,
    run_limit,
    unknown_price,
)
from agentflow_dagster.engine.set_aside import SetAside, month_of
from agentflow_dagster.errors import BudgetError, StoreError
from agentflow_dagster.stores.budget_rows import BudgetKey
from agentflow_dagster.stores.purse import Purse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date, datetime
    from decimal import Decimal

    from agentflow_dagster.ports.ledger import Caller, Outcome, Overrun, PlannedCall
    from agentflow_dagster.ports.model import Usage

MOST_UNSTORED = 50_000
"""Calls that wait to be stored; then none is granted."""
_MOST_RUNS = 20_000
"""Runs that are known by heart."""
OPENED_SECONDS = 0.005
"""How long the row of a call that was granted may wait for others: what a crash may leave out."""
SETTLED_SECONDS = 0.05
"""How long that of a settled call may wait, and money that is to be given back."""


@dataclass(slots=True, eq=False, kw_only=True)
class RunPot(Pot):
    """What a run may spend, with its children.

    Args:
        first: The first of our calls that is counted here, and not read from the table.
        others: USD that calls of before and of others count for.
        unread: Whether that was not asked yet.
        busy: Calls that are open or not stored.
    """

    first: int
    others: Decimal = ZERO
    unread: bool = True
    busy: int = 0

    @property
    def left(self) -> Decimal | None:
        """USD that are neither spent nor held; None has no limit."""
        if self.limit is None:
            return None
        return max(self.limit - self.others - self.spent - self.held, ZERO)


@dataclass(slots=True, eq=False)
class Asked:
    """A call that waits for the database's answer.

    Args:
        call: Which.
        loop: Where it is waited for.
        answered: Set once there is a result.
        result: The reservation, or why there is none.
        abandoned: Whether nobody waits any more.
    """

    call: PlannedCall
    loop: asyncio.AbstractEventLoop
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    result: SetAside | BudgetError | StoreError | None = None
    abandoned: bool = False


class Book:
    """The state of a ledger. All but `lock`, `owner` and `settle` is for whoever holds the lock.

    Args:
        workspace: What all agents together may spend in a month (USD); None has no limit.
        now: The time, in UTC.
        overrun: Told of calls that cost more than they were granted.
        owner: Names this process's ledger in the tables; None makes a name.
    """

    def __init__(
        self,
        workspace: Decimal | None,
        *,
        now: Callable[[], datetime],
        overrun: Callable[[Overrun], None],
        owner: str | None = None,
    ) -> None:
        self.owner = owner or uuid.uuid4().hex
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.due: float | None = None
        """When the tables are to be brought up to date (monotonic seconds)."""
        self.begin: Callable[[], None] = lambda: None
        """Has somebody do so, who is to be started first."""
        self.asked: list[Asked] = []
        self.unstored: dict[int, SetAside] = {}
        self.runs: dict[str, RunPot] = {}
        self.purses: dict[BudgetKey, Purse] = {}
        self.now = now
        self._overrun = overrun
        self._process = os.getpid()
        self._workspace = workspace
        self._last = 0

    def attempt(
        self,
        call: PlannedCall,
        answered: Collection[Purse] = (),
        exhausted: Collection[Purse] = (),
    ) -> SetAside | None:
        """Grants a call; None where the database has to be asked first.

        Args:
            call: Which.
            answered: Leases for which the database was asked on its behalf.
            exhausted: Those of which it did not have what was asked for.

        Raises:
            BudgetError: it cannot be granted.
            StoreError: too many calls wait to be stored.
        """
        now = self.now()
        month = month_of(now)
        runs = self.runs_of(call.caller)
        purses = self.purses_of(call.caller, month)
        limits: list[Pot] = [pot for pot in runs if pot.limit is not None]
        counting = [*limits, *purses]
        most = most_of(call)
        if most is None and counting:
            raise unknown_price(call, counting[0], f"{month:%Y-%m}")
        # What costs nothing has not to know what was spent.
        if (most is None or most > 0) and any(unread(pot, call.caller) for pot in runs):
            return None
        self._require_room()
        if not counting or most is None:
            return self._set_aside(call, now, runs, None, most)
        if (short := lacking(call, limits)) is not None:
            raise refusal(call, short, f"{month:%Y-%m}")
        wanted = granted(most, limits)
        for purse in purses:
            left = purse.left
            if left >= wanted:
                continue
            if purse not in answered:
                return None
            if lacking(call, (purse,)) is None:
                wanted = left
            elif purse in exhausted:
                raise self._refused(call, purse)
            else:
                return None
        return self._set_aside(call, now, [*runs, *purses], wanted, wanted)

    def settle(self, aside: SetAside, usage: Usage, outcome: Outcome) -> None:
        """Ends a call."""
        if os.getpid() != self._process:
            return  # The call of a parent process, which ends it.
        with self.lock:
            overrun = aside.end(usage, outcome, self.now())
            self.unstored[aside.number] = aside
            self.bring_up(SETTLED_SECONDS)
        if overrun is not None:
            self._overrun(overrun)

    def forget(self, aside: SetAside, stored: str) -> None:
        """Notes that a call is stored in a state; it stays where it has changed since."""
        if aside.state != stored:
            return
        self.unstored.pop(aside.number, None)
        if stored != "open":
            for pot in aside.pots:
                if isinstance(pot, RunPot):
                    pot.busy -= 1

    def bring_up(self, seconds: float) -> None:
        """Has the tables brought up to date so much later at most."""
        self.begin()
        at = time.monotonic() + seconds
        if self.due is None or at < self.due:
            # Who waits for a time that is near is not woken for one that is a little nearer.
            wakes = self.due is None or seconds == 0 or self.due - at > OPENED_SECONDS
            self.due = at
            if wakes:
                self.changed.notify_all()

    def purses_of(self, caller: Caller, month: date) -> Sequence[Purse]:
        """The leases that a call of this caller spends from."""
        found: list[Purse] = []
        for scope, limit in month_limits(caller, self._workspace):
            key = BudgetKey(scope, month)
            purse = self.purses.get(key)
            if purse is None:
                kind = "workspace" if scope == WORKSPACE else "agent"
                purse = Purse(kind, caller.agent, scope=scope, month=month)
                self.purses[key] = purse
            if purse.limit is None or limit != purse.limit:
                purse.limit = limit
                purse.told.clear()
            found.append(purse)
        return found

    def current(self, purse: Purse) -> Purse:
        """The lease of the same budget that is in use now."""
        return self.purses.setdefault(BudgetKey(purse.scope, purse.month), purse)

    def ask(self, call: PlannedCall) -> Asked:
        """Has the database asked for a call; its result comes to the event loop that runs."""
        one = Asked(call, asyncio.get_running_loop())
        self.asked.append(one)
        self.begin()
        self.changed.notify_all()
        return one

    def abandon(self, one: Asked) -> SetAside | None:
        """Nobody waits for a call any more; what it was granted in the meantime."""
        one.abandoned = True
        if one in self.asked:
            self.asked.remove(one)
        return one.result if isinstance(one.result, SetAside) else None

    def runs_of(self, caller: Caller) -> Sequence[RunPot]:
        """The pots of a caller's run, and of those that it is a child of."""
        found = [self._run(caller.run_id)]
        found[0].limit = run_limit(caller)
        for name in caller.parents:
            if name != caller.run_id:
                found.append(self._run(name))  # noqa: PERF401 - most have none
        return found

    def read(self, stored: Mapping[str, tuple[Decimal, Decimal | None]]) -> None:
        """Takes in what the table says of runs: what is spent, and what each may spend."""
        for name, (spent, limit) in stored.items():
            pot = self.runs.get(name)
            if pot is not None and pot.unread:
                pot.others, pot.unread = spent, False
                if pot.limit is None:
                    pot.limit = limit

    def _run(self, name: str) -> RunPot:
        pot = self.runs.get(name)
        if pot is None:
            if len(self.runs) >= _MOST_RUNS:
                self._forget_runs()
            pot = self.runs[name] = RunPot("run", name, first=self._last + 1)
        return pot

    def _require_room(self) -> None:
        if len(self.unstored) >= MOST_UNSTORED:
            raise StoreError(
                f"{len(self.unstored)} calls to models wait for their accounts to be stored.",
                hint="Is PostgreSQL running?",
            )

    def _refused(self, call: PlannedCall, purse: Purse) -> BudgetError:
        """Why a call is not made; that is told, too."""
        if 100 not in purse.told:
            purse.refused_by = call.caller.run_id
            self.bring_up(SETTLED_SECONDS)
        return refusal(call, purse, f"{purse.month:%Y-%m}")

    def _forget_runs(self) -> None:
        """Forgets half of the runs, the first first, whose calls are all in the table."""
        waiting = {name for one in self.asked for name in _names(one.call.caller)}
        idle = [name for name, pot in self.runs.items() if not pot.busy and name not in waiting]
        for name in idle[: _MOST_RUNS // 2]:
            del self.runs[name]

    def _set_aside(
        self,
        call: PlannedCall,
        now: datetime,
        pots: Sequence[Pot],
        grant: Decimal | None,
        bound: Decimal | None,
    ) -> SetAside:
        self._last += 1
        aside = SetAside(self, self._last, call, now, pots, grant, bound)
        self.unstored[aside.number] = aside
        for pot in pots:
            if isinstance(pot, RunPot):
                pot.busy += 1
        # What a call that costs nothing leaves out in a crash is no money.
        self.bring_up(SETTLED_SECONDS if bound == 0 else OPENED_SECONDS)
        return aside


def unread(pot: RunPot, caller: Caller) -> bool:
    """Whether the table has to be asked what a run has spent: where it has a limit, or may have."""
    return pot.unread and (pot.limit is not None or pot.name != caller.run_id)


def _names(caller: Caller) -> Sequence[str]:
    return (caller.run_id, *caller.parents)
