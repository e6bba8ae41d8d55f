"""Changes of runs are told as they are committed, by notifications of the database alone."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from agentflow_dagster.orchestration import live_events
from agentflow_dagster.ports.live_events import AssetMade, EventId, RunChanged, StepChanged
from tests.orchestration import lane
from tests.orchestration.bench import step_name
from tests.orchestration.engine_lane.test_waiting import DELAY
from tests.orchestration.samples import TRIAGE
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from agentflow_dagster.orchestration.live_events import PostgresLiveEvents
    from agentflow_dagster.ports.live_events import LiveEvent, LiveEvents
    from tests.orchestration.bench import Bench
    from tests.orchestration.conftest import Lane

TROUBLED = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: has-trouble}
spec:
  nodes:
    mended:
      kind: code.python
      with: {code: "raise ValueError('the first')"}
      onError: {to: config}
    config: {kind: code.python, with: {code: "x = 1", outputs: [x]}}
    lost:
      kind: code.python
      after: [config]
      retry: {maxAttempts: 2, delay: 1ms}
      with: {code: "raise ValueError('the second')"}
"""


@pytest.fixture(autouse=True)
def told_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who follows looks when it is told, and at no other time."""
    monkeypatch.setattr(live_events, "_LOOK_SECONDS", 3600.0)


async def followed(events: LiveEvents, **which: Any) -> list[LiveEvent]:
    """All that is told of a run, once that has ended."""
    async with asyncio.timeout(30):
        return [event async for event in events.follow(**which)]


async def until_end(events: LiveEvents, **which: Any) -> list[LiveEvent]:
    """What is told from now on until any run has ended."""
    found: list[LiveEvent] = []
    async with asyncio.timeout(30), aclosing(events.follow(**which)) as following:
        async for event in following:
            found.append(event)
            if isinstance(event, RunChanged) and event.end:
                return found
    return found


def in_short(event: LiveEvent) -> tuple[str, ...]:
    match event:
        case RunChanged():
            return ("run", event.state)
        case StepChanged():
            return (event.node, event.state, event.port)
        case AssetMade():
            return (event.node, "made", event.asset)


async def test_it_is_told_while_it_happens(
    bench: Bench, events: PostgresLiveEvents, run: Lane
) -> None:
    bench.serve(TRIAGE)
    following = asyncio.create_task(until_end(events))
    await listening(events)
    ran = await asyncio.to_thread(run, "support-triage", {"body": "a bug"})
    told = await following
    assert {event.run_id for event in told} == {ran.run_id}
    assert {event.agent for event in told} == {"support-triage"}
    assert [e.id for e in told] == sorted(e.id for e in told)
    short = [in_short(event) for event in told]
    assert short[-1] == ("run", "succeeded")
    assert [one for one in short if one[0] == "classify"] == [
        ("classify", "started", ""),
        ("classify", "output", "result"),
        ("classify", "made", "support_triage/classify"),
        ("classify", "succeeded", ""),
    ]
    assert ("route", "output", "bug") in short
    skipped = {one[0] for one in short if one[1:2] == ("skipped",)}
    assert skipped == ran.skipped
    made = next(event for event in told if isinstance(event, AssetMade))
    assert (made.figures.tokens_in, made.figures.tokens_out) == (7, 3)
    assert made.figures.cost_usd == 0.0005
    assert (made.figures.model, made.figures.provider) == ("scripted-1", "scripted")
    assert made.latency_ms is not None


async def listening(events: PostgresLiveEvents) -> None:
    """Once the first look is done, and the next has to be told of."""
    await asyncio.to_thread(wait_until, lambda: events._told and events._connection)
    await events.agents()  # Comes after the look, on the one connection.


async def test_it_is_what_dagster_has(bench: Bench, events: PostgresLiveEvents, run: Lane) -> None:
    bench.serve(TROUBLED)
    ran = await asyncio.to_thread(run, "has-trouble", {})
    told = await followed(events, run_id=ran.run_id)
    theirs = dict(zip(ran.ids, ran.events, strict=True))
    for event in told:
        entry = theirs[event.id]
        assert event.at == entry.timestamp
        if not isinstance(event, RunChanged):
            assert event.node == step_name(str(entry.step_key)).removeprefix("_")
    short = [in_short(event) for event in told]
    assert short.count(("lost", "started", "")) == 2
    assert short.count(("lost", "retrying", "")) == 1
    assert ("mended", "handled", "") in short
    assert ("mended", "output", "error") in short
    assert ("config", "succeeded", "") in short
    problems = {in_short(e): e.error for e in told if not isinstance(e, AssetMade) and e.error}
    assert set(problems) == {
        ("mended", "handled", ""),
        ("lost", "retrying", ""),
        ("lost", "failed", ""),
        ("run", "failed"),
    }
    for one, problem in problems.items():
        which = "first" if one[0] == "mended" else "second"
        told = f"<node {'mended' if which == 'first' else 'lost'}>, line 1: ValueError: the {which}"
        assert problem == told


async def test_a_run_that_has_ended_is_told_from_its_beginning(
    bench: Bench, events: PostgresLiveEvents, run: Lane
) -> None:
    bench.serve(TRIAGE)
    ran = await asyncio.to_thread(run, "support-triage", {"body": "a bug"})
    told = await followed(events, run_id=ran.run_id)
    assert in_short(told[-1]) == ("run", "succeeded")
    later = await followed(events, run_id=ran.run_id, after=told[3].id)
    assert later == told[4:]
    assert await followed(events, run_id=ran.run_id, after=told[-1].id) == []


async def test_a_run_that_is_not_there_has_no_events(events: PostgresLiveEvents) -> None:
    assert await followed(events, run_id="00000000-0000-0000-0000-000000000000") == []


async def test_of_one_agent(bench: Bench, events: PostgresLiveEvents) -> None:
    bench.serve(TRIAGE, TROUBLED)
    following = asyncio.create_task(until_end(events, agent="support-triage"))
    await listening(events)
    await asyncio.to_thread(bench.run, "has-trouble", {})
    ran = await asyncio.to_thread(bench.run, "support-triage", {"body": "a bug"})
    assert {event.run_id for event in await following} == {ran.run_id}
    assert await events.agents() == {"has-trouble", "support-triage"}
    assert await events.has_run(ran.run_id)


async def test_a_moment_has_its_place(bench: Bench, events: PostgresLiveEvents) -> None:
    bench.serve(TRIAGE)
    assert await events.place_at(0) == 0
    ran = [await asyncio.to_thread(bench.run, "support-triage", {"body": "x"}) for _ in range(3)]
    began = ran[1].events[0].timestamp
    assert await events.place_at(began) == ran[1].ids[0] - 1
    assert await events.place_at(0) == ran[0].ids[0] - 1
    assert await events.place_at(began + 3600) == ran[2].ids[-1]
    told = await until_end(events, after=await events.place_at(began))
    assert {event.run_id for event in told} == {ran[1].run_id}


async def test_a_lost_connection_loses_and_repeats_nothing(
    bench: Bench, events: PostgresLiveEvents
) -> None:
    bench.serve(TRIAGE)
    told: asyncio.Queue[LiveEvent] = asyncio.Queue()

    async def follow() -> None:
        async for event in events.follow(after=EventId(0)):
            await told.put(event)

    following = asyncio.create_task(follow())
    engine = sa.create_engine(bench.database_url, isolation_level="AUTOCOMMIT")
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :pid"
    for _ in range(3):
        await listening(events)
        pid = events._connection.get_server_pid()
        with engine.connect() as connection:
            assert connection.execute(sa.text(cut), {"pid": pid}).scalar_one()
        ran = await asyncio.to_thread(bench.run, "support-triage", {"body": "a bug"})
        ids = [i for i, e in zip(ran.ids, ran.events, strict=True) if told_of(e)]
        async with asyncio.timeout(30):
            assert [(await told.get()).id for _ in ids] == ids
    assert told.empty()
    following.cancel()
    engine.dispose()


def told_of(entry: Any) -> bool:
    event = entry.dagster_event
    return (
        event is not None
        and event.event_type_value in live_events.TOLD
        and not str(event.step_key).endswith("._start")
    )


async def test_more_than_one_look_gives(
    bench: Bench, events: PostgresLiveEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_events, "_MOST", 2)
    bench.serve(TRIAGE)
    ran = await asyncio.to_thread(bench.run, "support-triage", {"body": "a bug"})
    told = await followed(events, run_id=ran.run_id)
    expected = [i for i, e in zip(ran.ids, ran.events, strict=True) if told_of(e)]
    assert [event.id for event in told] == expected


async def test_a_run_that_is_put_away_is_told_so(bench: Bench, events: PostgresLiveEvents) -> None:
    bench.serve(DELAY)
    run = bench.prepare("reminder")
    async with lane.engine(bench) as engine:
        following = asyncio.create_task(followed(events, run_id=run.run_id))
        await engine.start(run.run_id)
        told = await following
    states = [event.state for event in told if isinstance(event, RunChanged)]
    assert states == ["starting", "started", "suspended", "resumed", "succeeded"]


async def test_many_follow_over_one_connection(bench: Bench, events: PostgresLiveEvents) -> None:
    bench.serve(TRIAGE)
    following = [asyncio.create_task(until_end(events)) for _ in range(5)]
    await listening(events)
    await asyncio.to_thread(bench.run, "support-triage", {"body": "a bug"})
    told = [await one for one in following]
    assert told[0]
    assert all(one == told[0] for one in told)
