"""The machine's clock is set by an hour while runs are under way: it shows nowhere."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import ModelError
from agentflow_dagster.orchestration.engine_lane.place import Place
from agentflow_dagster.orchestration.engine_lane.run_clock import RunClock
from agentflow_dagster.orchestration.instance import newest_runs
from agentflow_dagster.stores import engine_runs
from agentflow_dagster.stores.connection import connect
from tests.orchestration import lane
from tests.orchestration.engine_lane.test_engine import until_asked
from tests.orchestration.engine_lane.test_waiting import until_is

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.spec.values import JsonValue
    from tests.orchestration.bench import Bench, Ran

HOUR = 3600.0
AGENT = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: patient}
spec:
  nodes:
    first: {kind: ai.chat, with: {prompt: first}}
    again:
      kind: ai.chat
      after: [first]
      retry: {maxAttempts: 2, delay: 200ms}
      with: {prompt: again}
    later: {kind: logic.delay, after: [again], with: {for: 300ms}}
    last: {kind: ai.chat, after: [later], with: {prompt: last}}
"""
pytestmark = pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch, by: float) -> Callable[[], None]:
    """Sets the clock."""
    real, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])

    def set_clock() -> None:
        ahead[0] += by

    return set_clock


def assert_in_order(ran: Ran) -> None:
    """Events are recorded in the order of their times."""
    times = [entry.timestamp for entry in ran.events]
    assert all(earlier <= later for earlier, later in pairwise(times))


async def test_a_run_while_it_is_at_work(bench: Bench, jump: Callable[[], None]) -> None:
    """Between its steps, and while one waits for its next attempt: that is as late as it was to
    be, and so is what waits for a time."""
    bench.serve(AGENT)
    label, asked = bench.model.answer, list[tuple[str, float]]()

    def answer(request: ModelRequest) -> JsonValue:
        said = request.messages[-1].content
        asked.append((said, time.monotonic()))
        jump()
        if [each for each, _ in asked].count("again") == 1:
            raise ModelError("No.", model="small", provider="small", status=500)
        return label(request)

    bench.model.answer = answer
    run = bench.prepare("patient")
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until_is(bench, run.run_id, "SUCCESS")
    assert [each for each, _ in asked] == ["first", "again", "again", "last"]
    at = [moment for _, moment in asked]
    assert at[2] - at[1] >= 0.2
    assert at[3] - at[2] >= 0.3
    assert_in_order(bench.ran(run.run_id))
    record = bench.instance.get_run_record_by_id(run.run_id)
    assert record is not None
    assert record.start_time is not None
    assert record.end_time is not None
    assert record.end_time >= record.start_time


async def test_how_long_a_run_took(bench: Bench, jump: Callable[[], None]) -> None:
    """Where it is not put away in between, as if the clock had not been set."""
    bench.serve(AGENT.replace("logic.delay", "ai.chat").replace("for: 300ms", "prompt: later"))
    label = bench.model.answer

    def answer(request: ModelRequest) -> JsonValue:
        jump()
        return label(request)

    bench.model.answer = answer
    run = bench.prepare("patient")
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await engine.ended(run.run_id)
    ran = bench.ran(run.run_id)
    assert ran.status == "SUCCESS"
    assert_in_order(ran)
    record = bench.instance.get_run_record_by_id(run.run_id)
    assert record is not None
    assert 0 <= (record.end_time or 0) - (record.start_time or 0) < HOUR / 2


async def test_a_run_that_goes_on_in_the_next_engine(
    bench: Bench, jump: Callable[[], None]
) -> None:
    bench.serve(AGENT)
    bench.model.hang_on("again")
    run = bench.prepare("patient")
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until_asked(bench, "again")
    jump()
    bench.model.label()
    async with lane.engine(bench) as engine:
        await engine.resume(run.run_id)
        await until_is(bench, run.run_id, "SUCCESS")
    assert_in_order(bench.ran(run.run_id))


async def test_no_engine_loses_its_place(bench: Bench, jump: Callable[[], None]) -> None:
    place = Place(bench.database_url, lease_seconds=1)
    await place.take()
    held, other = await place.connect(), await connect(bench.database_url)
    keeping = asyncio.create_task(place.keep())
    try:
        jump()
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert not await engine_runs.take_place(other)
            assert not await engine_runs.evict(other, lease_seconds=1)
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        held.terminate()
        other.terminate()


def test_a_run_in_a_process_of_its_own_took_no_less_than_nothing(
    bench: Bench, jump: Callable[[], None]
) -> None:
    bench.serve(AGENT)
    label = bench.model.answer

    def answer(request: ModelRequest) -> JsonValue:
        if request.messages[-1].content == "first":
            jump()
        return label(request)

    bench.model.answer = answer
    ran = bench.run("patient")
    assert ran.status == "SUCCESS"
    folder = bench.artifacts.parent / "dagster-direct"
    (listed,) = newest_runs(folder, bench.database_url, "patient", limit=1)
    assert listed.seconds is not None
    assert listed.seconds >= 0


def test_time_goes_on_evenly(jump: Callable[[], None]) -> None:
    clock = RunClock()
    before = clock.now()
    jump()
    assert before <= clock.now() < before + HOUR / 2
    recorded = time.time() + HOUR / 2
    assert RunClock(not_before=recorded).now() >= recorded
