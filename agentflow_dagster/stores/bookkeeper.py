"""The thread that keeps the tables of a ledger up to date with what its process does."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentflow_dagster.engine.budget_alerts import tell_alert
from agentflow_dagster.engine.budgets import ZERO, most_of
from agentflow_dagster.engine.set_aside import month_of
from agentflow_dagster.errors import BudgetError, StoreError
from agentflow_dagster.stores.budget_rows import BudgetKey, Order, carry_out, expired, take_in
from agentflow_dagster.stores.engine import transaction
from agentflow_dagster.stores.ledger_book import SETTLED_SECONDS, Asked, Book, unread
from agentflow_dagster.stores.ledger_rows import CallRow, call_row, stored_of
from agentflow_dagster.stores.purse import Purse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from decimal import Decimal

    import sqlalchemy as sa

    from agentflow_dagster.engine.set_aside import SetAside
    from agentflow_dagster.ports.ledger import Alert, CallState
    from agentflow_dagster.stores.budget_rows import Answer

_MOST_ROWS = 500
"""In one transaction."""
_MOST_PAUSE = 5.0
"""Seconds between tries while the database is away."""
_TOLD_EVERY = 60.0
"""Seconds between two lines in the log that it is away."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Round:
    """What is done in one transaction."""

    asked: Sequence[Asked]
    flushing: Sequence[Flush]
    calls: Sequence[tuple[SetAside, CallState]]
    rows: Sequence[CallRow]
    orders: Mapping[Purse, Order]
    reading: Mapping[str, int]
    whole: bool


@dataclass(slots=True, eq=False)
class Flush:
    """Somebody who waits until all calls are stored."""

    loop: asyncio.AbstractEventLoop
    done: asyncio.Event = field(default_factory=asyncio.Event)
    problem: StoreError | None = None


class Bookkeeper:
    """Stores calls in groups, leases what calls wait for, renews leases, gives back what is idle.

    Args:
        engine: The database.
        book: What the process knows.
        expiry: Seconds that a lease holds; it is renewed four times as often.
        alert: Told when much of a budget is spent, in this thread.
    """

    def __init__(
        self,
        engine: sa.Engine,
        book: Book,
        *,
        expiry: float,
        alert: Callable[[], Callable[[Alert], None] | None],
    ) -> None:
        self._engine = engine
        self._book = book
        self._expiry = expiry
        self._alert = alert
        book.begin = self.start
        self._thread: threading.Thread | None = None
        self._flushing: list[Flush] = []
        self._closing = False
        self._renew_at = 0.0
        self._failed = 0
        self._told_at = 0.0

    def start(self) -> None:
        """Begins, if it has not; called with the book's lock."""
        if self._thread is None:
            self._closing = False
            # A daemon: a program that forgets to close its stores ends all the same.
            self._thread = threading.Thread(target=self._run, name="agentflow-ledger", daemon=True)
            self._thread.start()

    def flush(self) -> Flush:
        """Asks to be told once all calls are stored; called with the book's lock."""
        waiting = Flush(asyncio.get_running_loop())
        self._flushing.append(waiting)
        self._book.bring_up(0)
        return waiting

    def close(self, seconds: float) -> bool:
        """Stores what there is and gives leases back; whether that was done in time."""
        with self._book.lock:
            if self._book.unstored:
                self.start()
            thread, self._closing = self._thread, True
            self._book.changed.notify_all()
        if thread is None:
            return True
        thread.join(seconds)
        with self._book.lock:
            return not self._book.unstored

    def _run(self) -> None:
        while True:
            with self._book.lock:
                closing = self._wait()
                this = self._taken(closing=closing)
            try:
                self._carry_out(this)
                self._failed = 0
                failed = False
            except Exception as problem:  # noqa: BLE001 - whoever waits is told of it
                self._fail(this, problem)
                failed = True
            if closing and self._ended(failed=failed):
                return

    def _ended(self, *, failed: bool) -> bool:
        """Whether nobody waits for anything, and all is stored that can be; then this thread is
        none any more."""
        with self._book.lock:
            if self._book.asked or self._flushing or (self._book.due is not None and not failed):
                return False
            self._thread, self._book.due = None, None
            return True

    def _wait(self) -> bool:
        """Returns when there is something to do; whether it is the last time."""
        book = self._book
        while not self._closing and not book.asked and not self._flushing:
            now = time.monotonic()
            times = [at for at in (book.due, self._next_renewal()) if at is not None]
            if not times:
                book.changed.wait()
                continue
            if min(times) <= now:
                break
            book.changed.wait(min(times) - now)
        return self._closing

    def _next_renewal(self) -> float | None:
        held = any(purse.leased > 0 or purse.giving > 0 for purse in self._book.purses.values())
        return self._renew_at if held else None

    def _taken(self, *, closing: bool) -> _Round:
        """What is to be done now, taken out of the book."""
        book = self._book
        book.due = None
        asked, book.asked = book.asked, []
        flushing, self._flushing = self._flushing, []
        calls = list(book.unstored.values())[:_MOST_ROWS]
        whole = len(calls) == len(book.unstored)
        renewing = closing or time.monotonic() >= self._renew_at
        if renewing:
            self._renew_at = time.monotonic() + self._expiry / 4
        orders, rows = _orders(book, asked, calls, renewing=renewing, closing=closing)
        reading = {
            pot.name: pot.first
            for one in asked
            for pot in book.runs_of(one.call.caller)
            if unread(pot, one.call.caller)
        }
        states: list[tuple[SetAside, CallState]] = [(call, call.state) for call in calls]
        return _Round(asked, flushing, states, rows, orders, reading, whole)

    def _carry_out(self, this: _Round) -> None:
        owner, started = self._book.owner, time.monotonic()
        with transaction(self._engine) as connection:
            if any(order.asked for order in this.orders.values()):
                for dead in expired(connection, owner):
                    take_in(self._engine, dead)
            stored = stored_of(connection, owner, this.reading)
            answers, alerts = carry_out(
                *(connection, owner, list(this.orders.values()), this.rows),
                seconds=self._expiry,
            )
        with self._book.lock:
            self._note(this, answers, stored, valid_until=started + self._expiry * 0.75)
            self._note_alerts(alerts)
        _wake(this.asked, [flush for flush in this.flushing if flush not in self._flushing])
        for alert in alerts:
            tell_alert(alert, self._alert())

    def _note(
        self,
        this: _Round,
        answers: Mapping[BudgetKey, Answer],
        stored: Mapping[str, tuple[Decimal, Decimal | None]],
        *,
        valid_until: float,
    ) -> None:
        """Brings the book up to date with what was done, and answers who asked."""
        book = self._book
        for call, state in this.calls:
            book.forget(call, state)
        book.read(stored)
        exhausted: set[Purse] = set()
        answered: set[Purse] = set()
        taken = _taken_unstored(book.unstored.values())
        for purse, order in this.orders.items():
            answer = answers[order.key]
            now = _replaced(book, purse) if answer.gone else purse
            now.leased = answer.amount - taken.get(now, ZERO)
            now.giving = ZERO
            now.elsewhere, now.valid_until = answer.left, valid_until
            now.largest = order.largest or now.largest
            if order.refused_by == now.refused_by:
                now.refused_by = ""
            answered.add(now)
            if answer.exhausted:
                exhausted.add(now)
        _drop_drained(book)
        for one in this.asked:
            _answer(book, one, answered, exhausted)
        if not this.whole:
            self._flushing += this.flushing
            book.bring_up(0)
        elif any(purse.near and purse.idle for purse in book.purses.values()):
            book.bring_up(SETTLED_SECONDS)

    def _note_alerts(self, alerts: Sequence[Alert]) -> None:
        for alert in alerts:
            purse = self._book.purses.get(BudgetKey(alert.scope, alert.month))
            if purse is not None:
                purse.told.add(alert.percent)

    def _fail(self, this: _Round, problem: Exception) -> None:
        """Keeps what was to be stored for the next time, and tells who waits."""
        known = problem if isinstance(problem, StoreError) else None
        if known is None:
            _log.error("Accounts of calls to models are not stored.", exc_info=problem)
        self._failed += 1
        now = time.monotonic()
        with self._book.lock:
            waiting = len(self._book.unstored)
            self._book.bring_up(min(0.1 * 2 ** min(self._failed, 10), _MOST_PAUSE))
            self._renew_at = max(self._renew_at, now + 1.0)
        if known is not None and now >= self._told_at:
            self._told_at = now + _TOLD_EVERY
            _log.warning("The accounts of %d calls wait to be stored: %s", waiting, known)
        for one in this.asked:
            one.result = _unknown(known)
        for flush in this.flushing:
            flush.problem = _unknown(known)
        _wake(this.asked, this.flushing)


def _orders(
    book: Book,
    asked: Sequence[Asked],
    calls: Sequence[SetAside],
    *,
    renewing: bool,
    closing: bool,
) -> tuple[dict[Purse, Order], list[CallRow]]:
    """What is to be done to each lease that somebody asks for, that calls count in, or that is to
    be renewed or given back; and the rows of the calls."""
    wanted: dict[Purse, Decimal] = {}
    largest: dict[Purse, Decimal] = {}
    touched: dict[Purse, None] = {}
    month = month_of(book.now())
    for one in asked:
        most = most_of(one.call) or ZERO
        for purse in book.purses_of(one.call.caller, month):
            touched[purse] = None
            wanted[purse] = wanted.get(purse, ZERO) + most
            largest[purse] = max(largest.get(purse, ZERO), most)
    rows: list[CallRow] = []
    for call in calls:
        spent_in = [pot for pot in call.pots if isinstance(pot, Purse)]
        current = [purse for purse in spent_in if book.current(purse) is purse]
        if call.state != "open":
            touched.update((book.current(purse), None) for purse in spent_in)
        scopes = [purse.scope for purse in spent_in]
        rows.append(call_row(call, book.owner, scopes, [purse.scope for purse in current]))
    for purse in book.purses.values():
        idle = purse.near and purse.idle > 0
        if renewing or idle or purse.refused_by or purse.giving > 0:
            touched[purse] = None
    taken = _taken_unstored(book.unstored.values())
    orders: dict[Purse, Order] = {}
    for purse in touched:
        wants = wanted.get(purse, ZERO)
        unused = renewing and not purse.used and not purse.held
        if not wants and (closing or unused or purse.near or purse.month != month):
            purse.giving = max(purse.leased - purse.held, ZERO)
        purse.used = purse.used and not renewing
        orders[purse] = Order(
            BudgetKey(purse.scope, purse.month),
            purse.limit or ZERO,
            asked=max(wants - purse.idle, ZERO),
            largest=largest.get(purse, ZERO),
            give=ZERO if wants else purse.giving,
            expected=purse.leased + taken.get(purse, ZERO),
            refused_by=purse.refused_by,
            told=frozenset(purse.told),
        )
    return orders, rows


def _taken_unstored(calls: Iterable[SetAside]) -> dict[Purse, Decimal]:
    """What ended calls take out of each lease that are not stored yet."""
    found: dict[Purse, Decimal] = {}
    for call in calls:
        if call.state == "open":
            continue
        usd = min(call.held_usd, call.charged_usd)
        for pot in call.pots:
            if isinstance(pot, Purse):
                found[pot] = found.get(pot, ZERO) + usd
    return found


def _replaced(book: Book, purse: Purse) -> Purse:
    """A new lease in place of one that was taken in: open calls were counted at their bounds."""
    new = Purse(
        purse.kind, purse.name, purse.limit, scope=purse.scope, month=purse.month, told=purse.told
    )
    book.purses[BudgetKey(purse.scope, purse.month)] = new
    return new


def _drop_drained(book: Book) -> None:
    """Forgets the leases of past months that have nothing any more."""
    month = month_of(book.now())
    for key, purse in list(book.purses.items()):
        if key.month != month and not purse.held and not purse.leased:
            del book.purses[key]


def _answer(
    book: Book, one: Asked, answered: Collection[Purse], exhausted: Collection[Purse]
) -> None:
    """Grants a call that has asked, or says why not; it goes on asking where others were first."""
    if one.abandoned:
        return
    try:
        one.result = book.attempt(one.call, answered, exhausted)
    except (BudgetError, StoreError) as problem:
        one.result = problem
    if one.result is None:
        book.asked.append(one)


def _unknown(known: StoreError | None) -> StoreError:
    """A new error for each who waits."""
    if known is None:
        return StoreError("What is left of the budgets cannot be asked.", hint="See the log.")
    return StoreError(
        f"What is left of the budgets cannot be asked: {known.message}", hint=known.hint
    )


def _wake(asked: Sequence[Asked], flushing: Sequence[Flush]) -> None:
    """Wakes those that have their answer, each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Event]] = {}
    for one in asked:
        if one.result is not None:
            by_loop.setdefault(one.loop, []).append(one.answered)
    for flush in flushing:
        by_loop.setdefault(flush.loop, []).append(flush.done)
    for loop, events in by_loop.items():
        try:
            loop.call_soon_threadsafe(_set_all, events)
        except RuntimeError:
            _log.debug("An event loop was closed while somebody waited in it.")


def _set_all(events: Sequence[asyncio.Event]) -> None:
    for event in events:
        event.set()
