"""Budgets that hold over all processes, and the account of every call, in PostgreSQL.

docs/decisions/0023-ledger.md says how.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agentflow_dagster.engine.budget_alerts import tell_overrun
from agentflow_dagster.engine.budgets import ZERO
from agentflow_dagster.engine.set_aside import SetAside
from agentflow_dagster.ports.model import Usage
from agentflow_dagster.stores.bookkeeper import Bookkeeper
from agentflow_dagster.stores.engine import transaction
from agentflow_dagster.stores.ledger_book import Book
from agentflow_dagster.stores.ledger_rows import give_up_open, stored_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    import sqlalchemy as sa

    from agentflow_dagster.ports.ledger import Alert, Overrun, PlannedCall

EXPIRY_SECONDS = 60.0
_ALL = 2**62
_CLOSE_SECONDS = 15.0


class PostgresLedger:
    """Keeps budgets and the account of every call.

    Threads and event loops may share it. A forked child begins anew: it has leases and a thread of
    its own.

    Args:
        engine: The database.
        workspace_monthly_usd: What all agents together may spend in a month; None has no limit.
        owner: Names this process's ledger in the tables; None makes a name.
        expiry_seconds: How long a lease outlives a process that does not renew it.
        now: The time, in UTC.
        on_alert: Told, once each over all processes, when a share of a month's budget is spent;
            from a thread of the ledger's. None has it logged. May be set later.
        on_overrun: Told of each call that cost more than it was granted, by whoever settles it;
            None has it logged. May be set later.
    """

    def __init__(
        self,
        engine: sa.Engine,
        workspace_monthly_usd: Decimal | None = None,
        *,
        owner: str | None = None,
        expiry_seconds: float = EXPIRY_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_alert: Callable[[Alert], None] | None = None,
        on_overrun: Callable[[Overrun], None] | None = None,
    ) -> None:
        self.on_alert = on_alert
        self.on_overrun = on_overrun
        self._engine = engine
        self._workspace = workspace_monthly_usd
        self._expiry = expiry_seconds
        self._now = now
        self._begin(owner)
        _begin_anew_after_fork(self)

    async def reserve(self, call: PlannedCall) -> SetAside:
        """Sets aside what a call may cost in each budget that counts, or in none.

        Raises:
            BudgetError: less is left than the call needs, or its price is not known while a budget
                counts.
            StoreError: a budget counts, and what is left of it cannot be asked, or too many calls
                wait to be stored.
        """
        book = self._book
        with book.lock:
            aside = book.attempt(call)
            if aside is not None:
                return aside
            asked = book.ask(call)
        try:
            await asked.answered.wait()
        except asyncio.CancelledError:
            with book.lock:
                granted = book.abandon(asked)
            if granted is not None:
                granted.settle(_NOTHING, "refused")
            raise
        if isinstance(asked.result, SetAside):
            return asked.result
        assert asked.result is not None
        raise asked.result

    async def spent_by(self, run_id: str) -> Decimal:
        """USD that the calls of a run and its children have cost so far, and may yet cost.

        Raises:
            StoreError: what other processes have stored of it cannot be asked.
        """
        book = self._book
        with book.lock:
            pot = book.runs.get(run_id)
            if pot is not None:
                pot.busy += 1
        try:
            others = await asyncio.to_thread(self._stored, run_id, pot.first if pot else _ALL)
        finally:
            with book.lock:
                if pot is not None:
                    pot.busy -= 1
        return others + (pot.spent + pot.held if pot else ZERO)

    async def take_over(self, run_id: str) -> None:
        """This process goes on with a run whose own is gone: the calls that were open there count
        as lost, at their bound. Those that count in budgets of a month do so once its lease ends.

        Raises:
            StoreError: the database cannot be reached.
        """
        await asyncio.to_thread(self._give_up_open, run_id)

    async def flush(self) -> None:
        """Returns once what was settled is stored.

        Raises:
            StoreError: it cannot be stored now. It is kept, and tried again.
        """
        book = self._book
        with book.lock:
            if not book.unstored:
                return
            waiting = self._bookkeeper.flush()
        await waiting.done.wait()
        if waiting.problem is not None:
            raise waiting.problem

    def close(self) -> None:
        """Stores what there is, and gives leases back; those of open calls expire. Used again, the
        ledger begins again."""
        self._bookkeeper.close(_CLOSE_SECONDS)

    def begin_anew(self) -> None:
        """Forgets what was leased and called: a parent process did that."""
        self._begin(None)

    def _begin(self, owner: str | None) -> None:
        self._book = Book(
            self._workspace,
            now=self._now,
            owner=owner,
            overrun=lambda overrun: tell_overrun(overrun, self.on_overrun),
        )
        self._bookkeeper = Bookkeeper(
            self._engine, self._book, expiry=self._expiry, alert=lambda: self.on_alert
        )

    def _stored(self, run_id: str, first: int) -> Decimal:
        with transaction(self._engine) as connection:
            stored = stored_of(connection, self._book.owner, {run_id: first})
        return stored[run_id][0]

    def _give_up_open(self, run_id: str) -> None:
        with transaction(self._engine) as connection:
            give_up_open(connection, self._book.owner, run_id)


_NOTHING = Usage(0, 0, ZERO, 0.0, "", "")


def _begin_anew_after_fork(ledger: PostgresLedger) -> None:
    reference = weakref.ref(ledger)

    def begin_anew() -> None:
        inherited = reference()
        if inherited is not None:
            inherited.begin_anew()

    os.register_at_fork(after_in_child=begin_anew)
