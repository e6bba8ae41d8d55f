"""The engine begins runs once they are durable, and ends them when it is asked to."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterEventType

from agentflow_dagster.errors import UsageError
from agentflow_dagster.orchestration.lanes import is_for_engine
from tests.orchestration import lane
from tests.orchestration.samples import TRIAGE
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Bench

CHAIN: JsonObject = {
    "apiVersion": "agentflow.io/v1",
    "kind": "Agent",
    "metadata": {"name": "chain"},
    "spec": {
        "nodes": {
            "first": {"kind": "ai.chat", "with": {"prompt": "one"}},
            "second": {
                "kind": "ai.chat",
                "after": ["first"],
                "timeout": "60s",
                "with": {"prompt": "two"},
            },
            "third": {"kind": "ai.chat", "after": ["second"], "with": {"prompt": "three"}},
        }
    },
}


async def until_asked(bench: Bench, prompt: str) -> None:
    def asked() -> bool:
        return any(request.messages[-1].content == prompt for request in bench.model.requests)

    await asyncio.to_thread(wait_until, asked)


async def test_a_step_is_kept_before_the_next_begins(bench: Bench) -> None:
    bench.serve(CHAIN)
    bench.model.hang_on("two")
    run = bench.prepare("chain")
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until_asked(bench, "two")
        assert set(bench.ran(run.run_id).values) == {"first"}
        assert bench.ran(run.run_id).succeeded == {"first"}
        await engine.cancel(run.run_id)


async def test_a_run_is_canceled(bench: Bench) -> None:
    bench.serve(CHAIN)
    bench.model.hang_on("two")
    run = bench.prepare("chain")
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until_asked(bench, "two")
        bench.instance.report_run_canceling(run)
        assert await engine.cancel(run.run_id)
        ran = bench.ran(run.run_id)
        assert not await engine.cancel(run.run_id)
    assert ran.status == "CANCELED"
    assert (ran.succeeded, ran.failed) == ({"first"}, {"second"})
    assert [e.event_type for e in ran.of_type(DagsterEventType.RUN_CANCELED)]
    assert set(ran.values) == {"first"}


async def test_no_more_than_it_may_have_of_all_agents(bench: Bench) -> None:
    bench.serve(CHAIN)
    bench.model.hang_on("two")
    first, second = bench.prepare("chain"), bench.prepare("chain")
    async with lane.engine(bench, most=1) as engine:
        assert await engine.start(first.run_id, if_room=True)
        assert not await engine.start(second.run_id, if_room=True)
        assert await engine.start(second.run_id), "what comes out of the queue is begun"


async def test_many_at_once(bench: Bench) -> None:
    bench.serve(TRIAGE)
    runs = [bench.prepare("support-triage", {"body": "a bug"}) for _ in range(20)]
    async with lane.engine(bench) as engine:
        await asyncio.gather(*(engine.start(run.run_id) for run in runs))
        await asyncio.gather(*(engine.ended(run.run_id) for run in runs))
        assert engine.running == 0
    assert {bench.ran(run.run_id).status for run in runs} == {"SUCCESS"}


async def test_what_cannot_begin(bench: Bench) -> None:
    bench.serve(CHAIN)
    done = await asyncio.to_thread(bench.run, "chain")
    async with lane.engine(bench) as engine:
        with pytest.raises(UsageError, match="no run"):
            await engine.start(str(uuid.uuid4()))
        with pytest.raises(UsageError, match="is SUCCESS"):
            await engine.start(done.run_id)


async def test_one_that_another_ends_before_it_begins_is_not_carried_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.serve(CHAIN)
    run = bench.prepare("chain")
    bench.instance.report_run_failed(run)
    with monkeypatch.context() as earlier:  # as the engine may have read it just before
        earlier.setattr(bench.instance, "get_run_by_id", lambda *_: run)
        async with lane.engine(bench) as engine:
            with pytest.raises(UsageError, match="ended before it could begin"):
                await engine.start(run.run_id)
    ran = bench.ran(run.run_id)
    assert ran.status == "FAILURE"
    assert ran.of_type(DagsterEventType.RUN_START) == []
    assert bench.model.requests == []


async def test_one_that_is_asked_for_twice_runs_once(bench: Bench) -> None:
    bench.serve(CHAIN)
    run = bench.prepare("chain")
    async with lane.engine(bench) as engine:
        await asyncio.gather(*(engine.start(run.run_id) for _ in range(5)))
        await engine.ended(run.run_id)
    assert len(bench.ran(run.run_id).of_type(DagsterEventType.RUN_START)) == 1


def test_which_runs_it_takes(bench: Bench) -> None:
    bench.serve(TRIAGE)
    name = "support_triage"
    config = {"ops": {name: {"config": {"input": {"body": "a bug"}}}}}
    source = {"ops": {name: {"config": {"source_run": "newest"}}}}
    job = f"{name}_job"
    assert is_for_engine(bench.create(job, config=config))
    assert not is_for_engine(bench.create(job, config=source))
    assert not is_for_engine(bench.create(job, config=source, select=[f"{name}/draft"]))
