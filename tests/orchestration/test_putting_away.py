"""When a run that has a process of its own gives it up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterEvent, DagsterRun, DagsterRunStatus

from agentflow_dagster.engine.activity import Activity
from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration import putting_away
from agentflow_dagster.orchestration.held_waits import HeldWaits
from agentflow_dagster.orchestration.putting_away import give_up, until_at_rest, wake
from agentflow_dagster.orchestration.warm.asking import SOCKET_VARIABLE
from agentflow_dagster.ports.waits import Asked
from agentflow_dagster.stores import wait_rows
from agentflow_dagster.stores.connection import connect
from tests.orchestration.engine_lane.test_engine import CHAIN

if TYPE_CHECKING:
    from agentflow_dagster.stores import Stores
    from tests.orchestration.bench import Bench

RUN = "0b2c6a0e-7a1d-4c55-9d2e-6f1f0c9a7c11"
ASKED = Asked("approval", {"ask": "Pay?"}, people=("mara",))


@dataclass
class Away:
    """Notes what it is told, and lets the run stay: it answers what is waited for."""

    stores: Stores
    failures: int = 0
    told: list[str] = field(default_factory=list[str])

    def __call__(self, told: str) -> None:
        self.told.append(told)
        if len(self.told) <= self.failures:
            raise OSError("away")
        for wait in self.stores.waits.waits(run_id=RUN):
            self.stores.waits.decide(wait.id, {"approved": True}, by="mara")


async def looked_for(database_url: str) -> list[int]:
    """The waits whose answers the engine finds."""
    connection = await connect(database_url)
    try:
        return [answered.id for answered in await wait_rows.answered(connection)]
    finally:
        connection.terminate()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(putting_away, "REST_SECONDS", 0.01)


async def waits_in(held: HeldWaits, activity: Activity, path: str) -> None:
    activity.leave()
    try:
        await held.answer(path, ASKED)
    finally:
        activity.enter()


@pytest.mark.parametrize("failures", [0, 2])
async def test_it_is_put_away_once_it_waits(stores: Stores, failures: int) -> None:
    """Where it cannot be now, it is tried again."""
    held, activity, away = HeldWaits(stores.waits, RUN, "a"), Activity(), Away(stores, failures)
    await until_at_rest(waits_in(held, activity, "pay"), activity, held, away)
    # Until the answer is looked for, it may be tried again and again.
    assert len(away.told) > failures
    assert set(away.told) == {"'pay' waits for approval by mara: Pay?"}
    assert not held.idle


async def test_it_stays_while_something_is_at_work(stores: Stores) -> None:
    held, activity, away = HeldWaits(stores.waits, RUN, "a"), Activity(), Away(stores)
    done = asyncio.Event()
    seen: list[list[str]] = []

    async def at_work() -> None:
        activity.enter()
        await asyncio.sleep(0.1)  # ten times what it would rest
        seen.append(list(away.told))
        activity.leave()
        done.set()

    async def both() -> None:
        await asyncio.gather(waits_in(held, activity, "pay"), at_work())

    await until_at_rest(both(), activity, held, away)
    assert seen == [[]]
    assert away.told


async def test_who_looks_for_an_answer(stores: Stores, database_url: str) -> None:
    """The engine, once it was handed over; the process that asks again, from then on."""
    store = stores.waits
    wait = store.hold(RUN, "a", "pay", ASKED)
    store.decide(wait.id, {"approved": True}, by="mara")
    assert await looked_for(database_url) == []
    store.hand_over(RUN, held=False)
    assert await looked_for(database_url) == [wait.id]
    assert store.hold(RUN, "a", "pay", ASKED).id == wait.id
    assert await looked_for(database_url) == []
    store.hand_over(RUN, held=False)
    store.hand_over(RUN, held=True)
    assert await looked_for(database_url) == []
    store.take([wait.id])
    store.hand_over(RUN, held=False)
    assert await looked_for(database_url) == []


def test_nobody_can_wake_it(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks for answers waits longer then, and looks again; one that has its process is not
    to be woken."""
    monkeypatch.delenv(SOCKET_VARIABLE, raising=False)
    waits = DagsterRun("job", run_id=RUN, status=DagsterRunStatus.SUSPENDED)
    with pytest.raises(RunError, match="needs a warm parent"):
        wake(waits, stores.waits)
    assert not wake(waits.with_status(DagsterRunStatus.STARTED), stores.waits)


def test_one_that_is_being_canceled_stays(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is to end it; were it suspended, nobody would."""
    bench.serve(CHAIN)
    run = bench.prepare("chain")
    bench.instance.report_dagster_event(DagsterEvent("PIPELINE_START", run.job_name), run.run_id)
    handing_over = bench.stores.waits.hand_over

    def as_somebody_cancels(run_id: str, *, held: bool) -> None:
        handing_over(run_id, held=held)
        bench.instance.report_run_canceling(run)

    monkeypatch.setattr(bench.stores.waits, "hand_over", as_somebody_cancels)
    give_up(run, bench.instance, bench.stores.waits)("'pay' waits")
    found = bench.instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status == DagsterRunStatus.CANCELING
