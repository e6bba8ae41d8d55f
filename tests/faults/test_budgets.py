"""Budgets hold where processes race, are killed, and where the database goes away."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid
from decimal import Decimal
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.engine.budgets import counted
from agentflow_dagster.errors import BudgetError, StoreError
from agentflow_dagster.stores.engine import create_engine
from agentflow_dagster.stores.ledger import PostgresLedger
from agentflow_dagster.stores.migration import migrate
from tests.faults.own_store import OwnStore
from tests.support.budget_tables import balances, calls
from tests.support.model_calls import planned, used
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator
    from multiprocessing.connection import Connection
    from pathlib import Path

    import sqlalchemy as sa

pytestmark = pytest.mark.fault

BUDGET = "agent/triage"
FORK = get_context("fork")


@pytest.fixture
def engine(database_url: str) -> Generator[sa.Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(engine: sa.Engine) -> Generator[PostgresLedger]:
    ledger = PostgresLedger(engine)
    yield ledger
    ledger.close()


def _race(url: str, number: int, gate: Any, told: Connection) -> None:
    """500 runs at once; each spends all that it was granted, or tells why it was refused."""
    engine = create_engine(url)
    ledger = PostgresLedger(engine)

    async def run(which: int) -> Decimal | str:
        call = planned("0.05", "0.05", run=f"{number}-{which}", monthly="1.00", per_run="0.50")
        try:
            reservation = await ledger.reserve(call)
        except BudgetError as problem:
            return str(problem)
        await asyncio.sleep(0.001 * (which % 7))  # as long as a model takes
        cost = reservation.granted_usd if which % 3 else Decimal("0.01")
        assert cost is not None
        reservation.settle(used(cost))
        return cost

    async def all_runs() -> list[Decimal | str]:
        found = await asyncio.gather(*(run(which) for which in range(500)))
        await ledger.flush()
        return list(found)

    gate.wait()
    told.send(asyncio.run(all_runs()))
    ledger.close()
    engine.dispose()


def test_a_thousand_runs_of_two_processes_overspend_nothing(
    engine: sa.Engine, ledger: PostgresLedger, database_url: str
) -> None:
    gate, lines = FORK.Barrier(2), [FORK.Pipe(duplex=False) for _ in range(2)]
    racers = [
        FORK.Process(target=_race, args=(database_url, number, gate, line[1]))
        for number, line in enumerate(lines)
    ]
    for racer in racers:
        racer.start()
    found: list[Decimal | str] = [one for line, _ in lines for one in line.recv()]
    for racer in racers:
        racer.join(30)
    spent = sum((one for one in found if isinstance(one, Decimal)), Decimal(0))
    refused = [one for one in found if isinstance(one, str)]
    assert len(found) == 1000
    assert Decimal("0.50") < spent <= 1
    assert refused
    assert all("of the 1 USD that agent 'triage' may spend" in one for one in refused)
    assert balances(engine) == {BUDGET: (spent, 0)}

    async def rest() -> None:
        last = await ledger.reserve(planned("1", "0.000001", monthly="1.00"))
        assert last.granted_usd == 1 - spent

    if spent < 1:
        asyncio.run(rest())


def _hold(url: str, told: Connection) -> None:
    """Has a call settled, one open, and a lease; then it waits to be killed."""
    engine = create_engine(url)
    ledger = PostgresLedger(engine, expiry_seconds=1.0)

    async def hold() -> None:
        (await ledger.reserve(planned("0.20", monthly="10"))).settle(used("0.15"))
        open_ = await ledger.reserve(planned("0.25", monthly="10", run="open"))
        await ledger.flush()
        told.send(open_.granted_usd)
        await asyncio.Event().wait()

    asyncio.run(hold())


def test_what_a_killed_process_held_is_free_again_but_for_its_open_calls(
    engine: sa.Engine, ledger: PostgresLedger, database_url: str
) -> None:
    line, told = FORK.Pipe(duplex=False)
    holder = FORK.Process(target=_hold, args=(database_url, told))
    holder.start()
    assert line.recv() == Decimal("0.25")
    assert balances(engine)[BUDGET][1] > Decimal("0.25")
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(30)

    async def whole() -> bool:
        """Whether all is to be had that was not spent."""
        try:
            reservation = await ledger.reserve(planned("9.60", "9.60", monthly="10"))
        except BudgetError:
            return False
        reservation.settle(used("0"), "refused")
        await ledger.flush()
        return True

    wait_until(lambda: asyncio.run(whole()))
    assert balances(engine)[BUDGET][0] == Decimal("0.40")
    (lost,) = [row for row in calls(engine) if row.state == "lost"]
    assert (lost.run_id, lost.cost_usd) == ("open", Decimal("0.25"))
    assert lost.reason == "cheapest; its process ended"
    with pytest.raises(BudgetError, match=r"9\.6 USD are left"):
        asyncio.run(ledger.reserve(planned("9.61", "9.61", monthly="10")))


@pytest.fixture
def store(open_folder: Path) -> Generator[OwnStore]:
    made = OwnStore(open_folder / f"budgets-{uuid.uuid4().hex[:8]}")
    yield made
    made.close()


async def test_the_database_goes_away_and_comes_back(
    store: OwnStore, caplog: pytest.LogCaptureFixture
) -> None:
    engine = create_engine(store.url)
    migrate(engine)
    ledger = PostgresLedger(engine)
    try:
        open_ = await ledger.reserve(planned("0.10", monthly="100"))
        await ledger.flush()
        store.kill()
        open_.settle(used("0.10"))
        # What is leased can still be spent, and what has no budget still be done.
        (await ledger.reserve(planned(monthly="100"))).settle(used("0.05"))
        (await ledger.reserve(planned(agent="free"))).settle(used("0.05"))
        with pytest.raises(StoreError, match="budgets cannot be asked"):
            await ledger.reserve(planned(agent="other", monthly="100"))
        with pytest.raises(StoreError):
            await ledger.flush()
        assert "wait to be stored" in caplog.text
        store.start()
        await _until_stored(ledger)
        assert balances(engine)[BUDGET][0] == Decimal("0.15")
        assert [row.state for row in calls(engine)] == ["answered"] * 3
        assert await ledger.reserve(planned(agent="other", monthly="100"))
    finally:
        ledger.close()
        engine.dispose()


def _spend(url: str, number: int, told: Connection) -> None:
    """Calls for some seconds, whatever happens to the database; tells what they really cost."""
    engine = create_engine(url)
    ledger = PostgresLedger(engine, expiry_seconds=2.0)
    costs: list[Decimal] = []

    async def run(which: int) -> None:
        call = planned("0.02", "0.005", run=f"{number}-{which}", monthly="30", per_run="1")
        try:
            reservation = await ledger.reserve(call)
        except (BudgetError, StoreError):
            await asyncio.sleep(0.02)
            return
        await asyncio.sleep(0.001 * (which % 15))
        assert reservation.granted_usd is not None
        costs.append(counted(reservation.granted_usd * (which % 4) / 3))
        reservation.settle(used(costs[-1]))

    async def runs() -> None:
        until = time.monotonic() + 8
        while time.monotonic() < until:
            await asyncio.gather(*(run(which) for which in range(20)))
        await _until_stored(ledger)

    asyncio.run(runs())
    ledger.close()
    engine.dispose()
    told.send(sum(costs, Decimal(0)))


@pytest.mark.soak
def test_not_a_cent_is_lost_while_the_database_is_killed_again_and_again(store: OwnStore) -> None:
    engine = create_engine(store.url)
    migrate(engine)
    lines = [FORK.Pipe(duplex=False) for _ in range(3)]
    spenders = [
        FORK.Process(target=_spend, args=(store.url, number, line[1]))
        for number, line in enumerate(lines)
    ]
    for spender in spenders:
        spender.start()
    for seconds in (0.2, 0.5, 2.5):  # leases hold for 2 s
        until = time.monotonic() + 1
        wait_until(lambda until=until: time.monotonic() > until)
        store.down(seconds)
    spent = sum((line.recv() for line, _ in lines), Decimal(0))
    for spender in spenders:
        spender.join(30)
    assert balances(engine) == {BUDGET: (spent, 0)}
    assert 0 < spent <= 30
    engine.dispose()


async def _until_stored(ledger: PostgresLedger) -> None:
    while True:
        try:
            return await ledger.flush()
        except StoreError:
            continue
