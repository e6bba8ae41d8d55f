"""What a ledger leases of a budget and gives back, and what it stores of calls."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from agentflow_dagster.errors import BudgetError, StoreError
from agentflow_dagster.stores import ledger_book
from agentflow_dagster.stores.engine import create_engine, transaction
from agentflow_dagster.stores.ledger import PostgresLedger
from agentflow_dagster.stores.purse import slice_of
from tests.support.budget_tables import balances, calls
from tests.support.model_calls import planned, used
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Make = Callable[..., PostgresLedger]

BUDGET = "agent/triage"


@pytest.fixture
def engine(database_url: str) -> Generator[sa.Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def make(engine: sa.Engine) -> Generator[Make]:
    made: list[PostgresLedger] = []

    def one(**options: Any) -> PostgresLedger:
        made.append(PostgresLedger(engine, **options))
        return made[-1]

    yield one
    for ledger in made:
        ledger.close()


class _Statements:
    """Counts the transactions of an engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self.commits = 0
        event.listen(engine, "commit", self._note)

    def _note(self, _: object) -> None:
        self.commits += 1


@pytest.mark.parametrize(
    ("left", "asked", "largest", "expected"),
    [
        ("100", "0.1", "0.1", "5"),
        ("100", "30", "0.1", "30"),
        ("1.9", "0.1", "0.1", "0.1"),
        ("0.05", "0.1", "0.1", "0.05"),
        ("0", "0.1", "0.1", "0"),
        ("-1", "0.1", "0.1", "0"),
        ("100", "0", "0", "0"),
    ],
)
def test_how_much_is_leased(left: str, asked: str, largest: str, expected: str) -> None:
    assert slice_of(Decimal(left), Decimal(asked), Decimal(largest)) == Decimal(expected)


async def test_a_slice_is_spent_without_the_database(engine: sa.Engine, make: Make) -> None:
    ledger, seen = make(), _Statements(engine)
    for _ in range(40):
        (await ledger.reserve(planned(monthly="100", per_run="50"))).settle(used("0.05"))
    assert seen.commits < 10
    await ledger.flush()
    spent, leased = balances(engine)[BUDGET]
    assert spent == 2
    assert 2 < leased <= 5


async def test_what_costs_nothing_asks_nobody(engine: sa.Engine, make: Make) -> None:
    before, after, seen = make(), make(), _Statements(engine)
    (await before.reserve(planned(per_run="1"))).settle(used("0.95"))
    await before.flush()
    commits = seen.commits
    free = await after.reserve(planned("0", "0", monthly="1", per_run="1", parents=["parent"]))
    assert (seen.commits, free.granted_usd) == (commits, 0)
    free.settle(used("0"), "kept")
    assert (await after.reserve(planned(per_run="1"))).granted_usd == Decimal("0.05")


async def test_a_thousand_that_wait_ask_together(engine: sa.Engine, make: Make) -> None:
    ledger, seen = make(), _Statements(engine)
    calls_ = [planned(run=f"{n}", monthly="1", per_run="1") for n in range(1000)]
    ended = await asyncio.gather(*map(ledger.reserve, calls_), return_exceptions=True)
    assert sum(isinstance(one, BudgetError) for one in ended) == 990
    assert seen.commits < 10


async def test_near_the_limit_nothing_is_kept_idle(engine: sa.Engine, make: Make) -> None:
    one, other = make(), make()
    (await one.reserve(planned(monthly="0.30"))).settle(used("0.02"))
    await one.flush()
    wait_until(lambda: balances(engine)[BUDGET][1] == 0)
    whole = await other.reserve(planned("0.28", "0.28", monthly="0.30"))
    assert whole.granted_usd == Decimal("0.28")


async def test_its_own_idle_money_is_used_before_a_call_is_refused(make: Make) -> None:
    ledger = make()
    first, second = [await ledger.reserve(planned("0.5", monthly="1")) for _ in range(2)]
    first.settle(used("0"), "refused")
    second.settle(used("0"), "refused")
    assert (await ledger.reserve(planned("1", "1", monthly="1"))).granted_usd == 1


async def test_closing_gives_leases_back(engine: sa.Engine, make: Make) -> None:
    ledger = make()
    (await ledger.reserve(planned(monthly="100"))).settle(used("0.05"))
    ledger.close()
    assert balances(engine) == {BUDGET: (Decimal("0.05"), 0)}
    assert (await ledger.reserve(planned(monthly="100"))).granted_usd == Decimal("0.10")
    await ledger.flush()
    ledger.close()
    assert balances(engine)[BUDGET] == (Decimal("0.05"), Decimal("0.10"))


async def test_who_makes_no_calls_gives_back(engine: sa.Engine, make: Make) -> None:
    ledger = make(expiry_seconds=1.0)
    (await ledger.reserve(planned(monthly="100"))).settle(used("0.05"))
    wait_until(lambda: balances(engine)[BUDGET] == (Decimal("0.05"), 0))


async def test_a_lease_is_renewed_while_a_call_is_open(engine: sa.Engine, make: Make) -> None:
    ledger, other = make(expiry_seconds=1.0), make()
    long = await ledger.reserve(planned("0.60", monthly="1"))
    begun = _expiry(engine)
    wait_until(lambda: _expiry(engine) > begun)
    wait_until(lambda: _expiry(engine) > begun)
    assert (await other.reserve(planned("1", monthly="1"))).granted_usd == Decimal("0.40")
    long.settle(used("0.60"))
    await ledger.flush()
    assert balances(engine)[BUDGET][0] == Decimal("0.60")


async def test_one_that_was_taken_for_dead_is_corrected_when_it_is_not(
    engine: sa.Engine, make: Make
) -> None:
    slow, other = make(), make()
    stored, unstored = [await slow.reserve(planned("0.20", monthly="1")) for _ in range(2)]
    await slow.flush()
    late = await slow.reserve(planned("0.10", monthly="1"))
    _let_expire(engine)
    (await other.reserve(planned("0.10", monthly="1"))).settle(used("0.10"))
    await other.flush()
    lost = [row.state for row in calls(engine)].count("lost")
    assert lost >= 2
    assert balances(engine, late=True)[BUDGET][0] >= Decimal("0.50")
    stored.settle(used("0.01"))
    unstored.settle(used("0.02"))
    late.settle(used("0.03"))
    await slow.flush()
    spent, _ = balances(engine)[BUDGET]
    assert spent == Decimal("0.16")
    assert {row.state for row in calls(engine)} == {"answered"}
    rest = await slow.reserve(planned("1", monthly="1"))
    assert rest.granted_usd == Decimal("0.84")


async def test_what_it_leases_anew_is_not_spent_by_calls_of_before(
    engine: sa.Engine, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_book, "OPENED_SECONDS", 60.0)
    slow, other = make(), make()
    before = await slow.reserve(planned("0.20", monthly="1"))
    _let_expire(engine)
    (await other.reserve(planned("0.10", monthly="1"))).settle(used("0"))
    await other.flush()
    await slow.reserve(planned("0.30", monthly="1"))
    before.settle(used("0.20"))
    await slow.flush()
    assert balances(engine)[BUDGET] == (Decimal("0.20"), Decimal("0.30"))


async def test_one_that_is_closed_while_it_is_used_stores_what_comes(
    engine: sa.Engine, make: Make
) -> None:
    ledger = make()
    closing = asyncio.create_task(asyncio.to_thread(ledger.close))
    for _ in range(50):
        (await ledger.reserve(planned(monthly="100"))).settle(used("0.01"))
        await asyncio.sleep(0)
    await closing
    await ledger.flush()
    assert balances(engine)[BUDGET][0] == Decimal("0.50")


async def test_a_run_that_goes_on_in_another_process_counts_what_it_spent(make: Make) -> None:
    before, after = make(), make()
    (await before.reserve(planned(per_run="0.50"))).settle(used("0.10"))
    await before.reserve(planned(per_run="0.50"))
    child = await before.reserve(planned(run="child", parents=["run"]))
    child.settle(used("0.05"))
    await before.flush()
    assert await after.spent_by("run") == Decimal("0.25")
    rest = await after.reserve(planned("1", per_run="0.50"))
    assert rest.granted_usd == Decimal("0.25")
    assert await after.spent_by("run") == Decimal("0.50")


async def test_open_calls_of_a_run_that_goes_on_elsewhere_are_lost(
    make: Make, engine: sa.Engine
) -> None:
    before, after = make(), make()
    (await before.reserve(planned("0.30", per_run="1"))).settle(used("0.10"))
    await before.reserve(planned("0.20", per_run="1"))
    await before.reserve(planned(None))  # Nobody knows its price.
    await before.reserve(planned("0.05", run="other"))
    await before.reserve(planned("0.07", monthly="100"))
    await before.flush()
    await (await _open(after)).take_over("run")
    told = [(row.run_id, row.state, row.cost_usd) for row in calls(engine)]
    assert told == [
        ("run", "answered", Decimal("0.10")),
        ("run", "lost", Decimal("0.20")),
        ("run", "lost", None),
        ("other", "open", None),
        ("run", "open", None),  # until the lease of the budget ends
        ("run", "open", None),
    ]
    assert await after.spent_by("run") == Decimal("0.38")


async def _open(ledger: PostgresLedger) -> PostgresLedger:
    """The ledger with a call of its own, which is not to end."""
    await ledger.reserve(planned("0.01"))
    await ledger.flush()
    return ledger


async def test_a_parents_limit_is_known_from_its_calls_elsewhere(make: Make) -> None:
    before, after = make(), make()
    (await before.reserve(planned(run="parent", per_run="0.15"))).settle(used("0.10"))
    await before.flush()
    child = await after.reserve(planned(run="child", parents=["parent"]))
    assert child.granted_usd == Decimal("0.05")


async def test_runs_that_are_forgotten_are_read_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_book, "_MOST_RUNS", 4)
    ledger = make()
    for number in range(12):
        (await ledger.reserve(planned(run=f"{number}", per_run="0.5"))).settle(used("0.10"))
        await ledger.flush()
    assert await ledger.spent_by("0") == Decimal("0.10")
    again = await ledger.reserve(planned("1", run="0", per_run="0.5"))
    assert again.granted_usd == Decimal("0.40")


async def test_what_is_stored_of_a_call(engine: sa.Engine, make: Make) -> None:
    ledger = make(owner="me")
    call = planned(run="r\0un", parents=["p", 'q,"'], monthly="5", per_run="1", node="x" * 300)
    reservation = await ledger.reserve(call)
    await ledger.flush()
    (row,) = calls(engine)
    assert (row.owner, row.number, row.state, row.ended_at) == ("me", 1, "open", None)
    assert (row.bound_usd, row.charged_usd, row.cost_usd) == (Decimal("0.10"),) * 2 + (None,)
    reservation.settle(used(Decimal("0.000000123456789012345")))
    await ledger.flush()
    (row,) = calls(engine)
    assert (row.state, row.model, row.reason) == ("answered", "gpt-4o-mini", "cheapest")
    assert row.cost_usd == Decimal("0.000000123456789012345")
    assert row.charged_usd == Decimal("0.000000123457")
    assert (row.run_id, row.parents, row.node) == ("r\ufffdun", ["p", 'q,"'], "x" * 255)
    assert (row.tokens_in, row.tokens_out, row.tokens_cached) == (10, 5, 1)
    assert (row.scopes, row.run_limit_usd, row.latency_ms) == ([BUDGET], 1, 12.5)
    assert row.started_at <= row.ended_at


async def test_amounts_of_any_length_add_up(engine: sa.Engine, make: Make) -> None:
    ledger = make()
    third = Decimal(1) / 3
    for number in range(1, 6):
        call = planned(f"{third * 2}", f"{third}", monthly="100", per_run=f"{third * 100}")
        (await ledger.reserve(call)).settle(used(third / number))
        await ledger.flush()
        balances(engine)
    spent = await ledger.spent_by("run")
    assert 0 <= spent - sum(third / number for number in range(1, 6)) < Decimal("1e-11")


async def test_a_cost_that_is_not_known_is_stored_so(engine: sa.Engine, make: Make) -> None:
    ledger = make()
    (await ledger.reserve(planned(None))).settle(used(None))
    await ledger.flush()
    (row,) = calls(engine)
    assert (row.cost_usd, row.bound_usd, row.charged_usd) == (None, None, 0)


async def test_more_than_it_can_keep_is_refused(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_book, "MOST_UNSTORED", 0)
    with pytest.raises(StoreError, match="wait for their accounts"):
        await make().reserve(planned())


def _child(ledger: PostgresLedger) -> None:
    async def spend() -> None:
        (await ledger.reserve(planned(run="child", monthly="1"))).settle(used("0.10"))
        await ledger.flush()

    asyncio.run(spend())
    ledger.close()


def test_a_forked_child_begins_anew(engine: sa.Engine, make: Make) -> None:
    ledger = make()

    async def spend() -> None:
        open_ = await ledger.reserve(planned(monthly="1"))
        child = get_context("fork").Process(target=_child, args=(ledger,))
        child.start()
        await asyncio.to_thread(child.join)
        assert child.exitcode == 0
        open_.settle(used("0.10"))
        await ledger.flush()

    asyncio.run(spend())
    assert balances(engine)[BUDGET][0] == Decimal("0.20")
    assert len({row.owner for row in calls(engine)}) == 2


def _expiry(engine: sa.Engine) -> Any:
    with transaction(engine) as connection:
        return connection.scalar(
            sa.text("SELECT max(expires_at) FROM agentflow.budget_leases LIMIT 1")
        )


def _let_expire(engine: sa.Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(
            sa.text("UPDATE agentflow.budget_leases SET expires_at = now() - interval '1 second'")
        )
