"""A run that an engine has begun goes on in the next one, from what is committed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from dagster import DagsterEventType

from agentflow_dagster.errors import ModelError
from agentflow_dagster.orchestration.engine_lane.place import LostPlaceError, Place
from agentflow_dagster.stores import engine_runs
from agentflow_dagster.stores.connection import connect
from tests.conformance.records import told
from tests.orchestration import lane
from tests.orchestration.engine_lane.test_engine import CHAIN, until_asked
from tests.orchestration.samples import TRIAGE
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import ModelRequest
    from tests.orchestration.bench import Bench


async def owed(bench: Bench) -> list[str]:
    connection = await connect(bench.database_url)
    try:
        return await engine_runs.owed(connection)
    finally:
        await connection.close(timeout=5)


async def until_told(bench: Bench, run_id: str, type_: DagsterEventType, node: str) -> None:
    """Waits until what was told of a step is committed: nobody else does."""
    await asyncio.to_thread(wait_until, lambda: bench.ran(run_id).count(type_, node))


async def test_what_has_ended_is_not_done_again(bench: Bench) -> None:
    bench.serve(CHAIN)
    bench.model.hang_on("two")
    run = bench.prepare("chain")
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until_asked(bench, "two")
        await until_told(bench, run.run_id, DagsterEventType.STEP_START, "second")
    assert bench.ran(run.run_id).status == "STARTED"
    assert await owed(bench) == [run.run_id]
    bench.model.label()
    async with lane.engine(bench) as engine:
        assert await engine.resume(run.run_id)
        await engine.ended(run.run_id)
    assert [r.messages[-1].content for r in bench.model.requests] == ["two", "three"]
    ran = bench.ran(run.run_id)
    assert ran.status == "SUCCESS"
    assert set(ran.values) == {"first", "second", "third"}
    assert len(ran.of_type(DagsterEventType.RUN_START)) == 1
    began = (DagsterEventType.STEP_START, DagsterEventType.STEP_RESTARTED)
    assert [ran.count(one, "second") for one in began] == [1, 1]
    assert [ran.count(one, "first") for one in began] == [1, 0]
    assert [ran.count(DagsterEventType.STEP_SUCCESS, step) for step in ran.succeeded] == [1, 1, 1]
    assert await owed(bench) == []


async def test_it_is_recorded_as_if_nothing_had_happened(bench: Bench) -> None:
    bench.serve(TRIAGE)
    whole = await asyncio.to_thread(bench.run, "support-triage", {"body": "another thing"})
    bench.model.requests.clear()
    prompt = "draft another thing"
    bench.model.hang_on(prompt)
    run = bench.prepare("support-triage", {"body": "another thing"})
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until_asked(bench, prompt)
        await until_told(bench, run.run_id, DagsterEventType.STEP_START, "draft")
    bench.model.label()
    async with lane.engine(bench) as engine:
        await engine.resume(run.run_id)
        await engine.ended(run.run_id)
    ran = bench.ran(run.run_id)
    mine, theirs = told(ran), told(whole)
    del mine[""], theirs[""]
    again = "support_triage.draft"
    kinds = [event["dagster_event"]["event_type_value"] for event in mine.pop(again)]
    assert kinds[1:3] == ["STEP_START", "STEP_RESTARTED"]
    del theirs[again]
    assert mine == theirs


async def test_a_run_that_was_to_be_canceled_is(bench: Bench) -> None:
    bench.serve(CHAIN)
    bench.model.hang_on("two")
    run = bench.prepare("chain")
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until_asked(bench, "two")
    bench.instance.report_run_canceling(run)
    async with lane.engine(bench) as engine:
        await engine.resume(run.run_id)
        await engine.ended(run.run_id)
    assert bench.ran(run.run_id).status == "CANCELED"
    assert await owed(bench) == []


async def test_a_run_that_another_has_ended_is_owed_no_more(bench: Bench) -> None:
    bench.serve(CHAIN)
    bench.model.hang_on("two")
    run = bench.prepare("chain")
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until_asked(bench, "two")
    bench.instance.report_run_canceled(run)
    async with lane.engine(bench) as engine:
        assert not await engine.resume(run.run_id)
        other = bench.prepare("chain")
        bench.model.label()
        await engine.start(other.run_id)
        await engine.ended(other.run_id)
    assert await owed(bench) == []


async def test_a_run_that_cannot_go_on_keeps_no_other_from_it(bench: Bench) -> None:
    bench.serve(CHAIN)
    bench.model.hang_on("two")
    lost, good = bench.prepare("chain"), bench.prepare("chain")
    async with lane.engine(bench) as engine:
        for run in (lost, good):
            bench.model.requests.clear()
            await engine.start(run.run_id)
            await until_asked(bench, "two")
    with sa.create_engine(bench.database_url).begin() as connection:
        forget = sa.text("DELETE FROM agentflow.step_outputs WHERE run_id = :run")
        connection.execute(forget, {"run": lost.run_id})
    bench.model.label()
    async with lane.engine(bench) as engine:
        assert [await engine.resume(run.run_id) for run in (lost, good)] == [False, True]
        await engine.ended(good.run_id)
    assert bench.ran(lost.run_id).status == "FAILURE"
    assert bench.ran(good.run_id).status == "SUCCESS"
    assert await owed(bench) == []


async def test_one_process_has_the_place(bench: Bench) -> None:
    first, second = Place(bench.database_url), Place(bench.database_url)
    assert await first.take() == []
    holding = await first.connect()
    waiting = asyncio.create_task(second.take())
    done, _ = await asyncio.wait([waiting], timeout=0.5)
    assert not done
    await holding.close(timeout=5)
    await asyncio.wait_for(waiting, 10)
    taken = await second.connect()
    await taken.close(timeout=5)
    with pytest.raises(LostPlaceError):
        await first.connect()


async def test_who_had_it_last_takes_it_again(bench: Bench) -> None:
    place = Place(bench.database_url)
    await place.take()
    connection = await place.connect()
    await connection.close(timeout=5)
    again = await place.connect()
    await again.close(timeout=5)


async def test_one_that_does_not_tell_that_it_lives_loses_its_place(bench: Bench) -> None:
    stalled = Place(bench.database_url)
    await stalled.take()
    connection = await stalled.connect()
    await connection.execute("BEGIN")
    owe = "INSERT INTO agentflow.engine_runs (run_id) VALUES ('late')"
    await connection.execute(owe)  # It stalls before it commits.
    with sa.create_engine(bench.database_url).begin() as other:
        other.execute(sa.text("UPDATE agentflow.engine SET beat_at = now() - interval '1 minute'"))
    next_ = Place(bench.database_url)
    assert await asyncio.wait_for(next_.take(), 10) == []
    with pytest.raises(Exception, match=r"closed|terminat|another operation"):
        await connection.execute("COMMIT")
    connection.terminate()
    holding = await next_.connect()
    await holding.close(timeout=5)
    with pytest.raises(LostPlaceError):
        await asyncio.wait_for(stalled.connect(), 10)
    assert await owed(bench) == []


async def test_one_that_tells_that_it_lives_keeps_its_place(bench: Bench) -> None:
    place, other = (Place(bench.database_url, lease_seconds=0.5) for _ in range(2))
    await place.take()
    connection = await place.connect()
    keeping = asyncio.create_task(place.keep())
    waiting = asyncio.create_task(other.take())
    done, _ = await asyncio.wait([waiting], timeout=2.0)
    assert not done
    keeping.cancel()
    await asyncio.wait([keeping])
    assert await asyncio.wait_for(waiting, 20) == []
    connection.terminate()
    await (await other.connect()).close(timeout=5)


FAILING = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: partly}
spec:
  nodes:
    shaky: {kind: ai.chat, with: {prompt: shaky}}
    next: {kind: ai.chat, after: [shaky], with: {prompt: next}}
    last: {kind: ai.chat, after: [next, slow], with: {prompt: last}}
    slow: {kind: ai.chat, with: {prompt: slow}}
"""


def refusing(request: ModelRequest) -> str:
    if request.messages[-1].content == "shaky":
        raise ModelError("no", model="m", provider="p", status=400)
    return "fine"


async def test_what_has_failed_is_not_attempted_again(bench: Bench) -> None:
    """And what waited for it is passed over once."""
    bench.serve(FAILING)
    bench.model.answer = refusing
    bench.model.hang_on("slow")
    run = bench.prepare("partly")
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until_asked(bench, "slow")
        await until_told(bench, run.run_id, DagsterEventType.STEP_FAILURE, "shaky")
    bench.model.label()
    async with lane.engine(bench) as engine:
        assert await engine.resume(run.run_id)
        await engine.ended(run.run_id)
    assert [r.messages[-1].content for r in bench.model.requests] == ["slow"]
    ran = bench.ran(run.run_id)
    assert ran.status == "FAILURE"
    assert (ran.failed, ran.succeeded) == ({"shaky"}, {"slow"})
    assert ran.count(DagsterEventType.STEP_FAILURE, "shaky") == 1
    assert ran.told().count("Dependencies for step partly.next failed") == 1
    assert ran.told().count("Dependencies for step partly.last were not executed") == 1
