"""The run of an accepted event is made and begun in one transaction, once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
from dagster import DagsterRunStatus, RunsFilter

from agentflow_dagster.errors import UsageError
from agentflow_dagster.orchestration.engine_lane.asking import BeginRun
from agentflow_dagster.orchestration.event_run import RUN_KEY_TAG, sensor_tags
from tests.orchestration import lane
from tests.orchestration.engine_lane.test_engine import CHAIN, until_asked
from tests.orchestration.samples import TRIAGE

if TYPE_CHECKING:
    from agentflow_dagster.ports.stores import InboxEvent
    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Bench


def accepted(bench: Bench, agent: str) -> InboxEvent:
    return bench.stores.inbox.add(agent, "calls", {"body": "x"})[0]


def asked(bench: Bench, event: InboxEvent, input_: JsonObject) -> BeginRun:
    version = bench.compiled[event.agent].version.hash
    tags = {**sensor_tags(event.agent, event), "agentflow/trigger": "calls"}
    return BeginRun(
        event_id=event.id,
        version=version,
        location="agentflow-2",
        input=cast("Any", input_),
        tags=tags,
    )


def state(bench: Bench, event: InboxEvent) -> tuple[str, str | None]:
    found = bench.stores.inbox.get(event.id)
    assert found is not None
    return found.state, found.run_id


async def test_the_run_is_as_dagster_would_have_made_it(bench: Bench) -> None:
    bench.serve(TRIAGE)
    event = accepted(bench, "support-triage")
    async with lane.engine(bench) as engine:
        assert await engine.begin(asked(bench, event, {"body": "a bug"}))
        told, run_id = state(bench, event)
        assert (told, run_id is not None) == ("started", True)
        await engine.ended(str(run_id))
    ran = bench.ran(str(run_id))
    assert ran.status == "SUCCESS"
    assert ran.tags[RUN_KEY_TAG] == event.run_key
    assert ran.tags["agentflow/agent"] == "support-triage"
    assert ran.run.remote_job_origin is not None
    assert ran.run.remote_job_origin.location_name == "agentflow-2"
    made = await asyncio.to_thread(bench.run, "support-triage", {"body": "a bug"})
    planned = [e.step_key for e in ran.events if "intends" in str(e.message)]
    assert planned == [e.step_key for e in made.events if "intends" in str(e.message)]
    by_tag = RunsFilter(tags={RUN_KEY_TAG: event.run_key, "agentflow/trigger": "calls"})
    assert [run.run_id for run in bench.instance.get_runs(by_tag)] == [run_id]
    snapshot = bench.instance.get_execution_plan_snapshot(str(ran.run.execution_plan_snapshot_id))
    assert snapshot.step_keys_to_execute == ran.run.step_keys_to_execute


async def test_one_that_is_asked_for_many_times_gets_one_run(bench: Bench) -> None:
    bench.serve(TRIAGE)
    event = accepted(bench, "support-triage")
    request = asked(bench, event, {"body": "a bug"})
    async with lane.engine(bench) as engine:
        came: list[Any] = await asyncio.gather(
            *(engine.begin(request) for _ in range(10)), return_exceptions=True
        )
        assert came.count(True) == 1
        assert all(isinstance(one, UsageError) for one in came if one is not True)
        await engine.ended(str(state(bench, event)[1]))
        with pytest.raises(UsageError, match="has its run"):
            await engine.begin(request)
    runs = bench.instance.get_runs()
    assert [(run.run_id, run.status) for run in runs] == [
        (state(bench, event)[1], DagsterRunStatus.SUCCESS)
    ]
    asked_once = [r.messages[-1].content for r in bench.model.requests]
    assert sorted(asked_once) == ["file a bug", "label a bug"]


async def test_there_is_room_for_so_many(bench: Bench) -> None:
    document: Any = {
        **CHAIN,
        "spec": {**cast("Any", CHAIN["spec"]), "config": {"maxConcurrentExecutions": 1}},
    }
    bench.serve(document)
    bench.model.hang_on("two")
    first, second = accepted(bench, "chain"), accepted(bench, "chain")
    async with lane.engine(bench) as engine:
        assert await engine.begin(asked(bench, first, {}))
        await until_asked(bench, "two")
        assert not await engine.begin(asked(bench, second, {}))
        assert state(bench, second) == ("pending", None)
        await engine.cancel(str(state(bench, first)[1]))
        bench.model.label()
        assert await engine.begin(asked(bench, second, {}))
        await engine.ended(str(state(bench, second)[1]))


async def test_what_the_engine_cannot_carry_out_is_left(bench: Bench) -> None:
    document: Any = {**CHAIN, "spec": {**cast("Any", CHAIN["spec"]), "lineage": "none"}}
    bench.serve(document)
    event = accepted(bench, "chain")
    async with lane.engine(bench) as engine:
        assert not await engine.begin(asked(bench, event, {}))
    assert state(bench, event) == ("pending", None)
