"""Other Dagster code in the same deployment sees the engine's runs as it sees any: sensors,
automation conditions, pools and limits of tags, as Dagster itself evaluates them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from dagster import (
    AssetKey,
    AssetSelection,
    AutomationCondition,
    DagsterEventType,
    DagsterRunStatus,
    Definitions,
    EventLogEntry,
    RunRequest,
    RunStatusSensorContext,
    SensorDefinition,
    SensorEvaluationContext,
    asset,
    asset_sensor,
    build_sensor_context,
    evaluate_automation_conditions,
    job,
    run_status_sensor,
)
from dagster._core.op_concurrency_limits_counter import GlobalOpConcurrencyLimitsCounter
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES, RunsFilter
from dagster._utils.tags import TagConcurrencyLimitsCounter

from agentflow_dagster.orchestration import names
from tests.orchestration import lane, samples
from tests.orchestration.engine_lane.test_engine import CHAIN, until_asked
from tests.orchestration.engine_lane.test_events import accepted, asked, state

if TYPE_CHECKING:
    from collections.abc import Callable

    from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor

    from tests.orchestration.bench import Bench

CLASSIFY = AssetKey(["support_triage", "classify"])


@job
def nothing() -> None:
    """What sensors ask for."""


def of_an_event(bench: Bench) -> str:
    """A run that the engine makes and carries out."""

    async def carried_out() -> str:
        event = accepted(bench, "support-triage")
        async with lane.engine(bench) as engine:
            await engine.begin(asked(bench, event, {"body": "a bug"}))
            run_id = str(state(bench, event)[1])
            await engine.ended(run_id)
        return run_id

    return asyncio.run(carried_out())


def by_dagster(bench: Bench) -> str:
    return bench.run("support-triage", {"body": "a bug"}).run_id


def of_the_engine(bench: Bench) -> str:
    return lane.run(bench, "support-triage", {"body": "a bug"}).run_id


RUNS = [by_dagster, of_the_engine, of_an_event]


@pytest.mark.parametrize("run", RUNS)
def test_sensors_of_runs(bench: Bench, run: Callable[[Bench], str]) -> None:
    bench.serve(samples.TRIAGE)
    found: list[str] = []

    @run_status_sensor(run_status=DagsterRunStatus.SUCCESS, monitor_all_code_locations=True)
    def done(context: RunStatusSensorContext) -> None:
        assert context.dagster_event.event_type == DagsterEventType.RUN_SUCCESS
        found.append(context.dagster_run.run_id)

    def evaluate(cursor: str | None) -> str | None:
        repository = Definitions(sensors=[done], jobs=[nothing]).get_repository_def()
        context = build_sensor_context(bench.instance, cursor, repository_def=repository)
        return done.evaluate_tick(context).cursor

    run(bench)
    cursor = evaluate(None)
    assert found == []
    run_ids = [run(bench), run(bench)]
    cursor = evaluate(cursor)
    assert found == run_ids
    evaluate(cursor)
    assert found == run_ids


@pytest.mark.parametrize("run", RUNS)
def test_sensors_of_assets(bench: Bench, run: Callable[[Bench], str]) -> None:
    bench.serve(samples.TRIAGE)

    @asset_sensor(asset_key=CLASSIFY, job=nothing)
    def made(_: SensorEvaluationContext, event: EventLogEntry) -> RunRequest:
        assert event.asset_materialization
        assert event.asset_materialization.asset_key == CLASSIFY
        return RunRequest(run_key=event.run_id)

    def evaluate(sensor: SensorDefinition, cursor: str | None) -> tuple[list[Any], str | None]:
        told = sensor.evaluate_tick(build_sensor_context(bench.instance, cursor))
        return [request.run_key for request in told.run_requests or ()], told.cursor

    assert evaluate(made, None)[0] == []
    run_id = run(bench)
    asked_for, cursor = evaluate(made, None)
    assert asked_for == [run_id]
    assert evaluate(made, cursor)[0] == []
    again = run(bench)
    assert evaluate(made, cursor)[0] == [again]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize(
    "condition",
    [AutomationCondition.eager(), AutomationCondition.any_deps_updated()],
    ids=["eager", "any_deps_updated"],
)
def test_automation_conditions(
    bench: Bench, run: Callable[[Bench], str], condition: AutomationCondition[AssetKey]
) -> None:
    bench.serve(samples.TRIAGE)

    @asset(deps=[CLASSIFY], automation_condition=condition)
    def report() -> None: ...

    defs = Definitions.merge(bench.definitions, Definitions(assets=[report]))

    def evaluate(cursor: AssetDaemonCursor | None) -> tuple[int, AssetDaemonCursor]:
        told = evaluate_automation_conditions(
            defs, bench.instance, AssetSelection.assets(report), cursor=cursor
        )
        return told.get_num_requested(report.key), told.cursor

    requested, cursor = evaluate(None)
    run(bench)
    again, cursor = evaluate(cursor)
    rested, _ = evaluate(cursor)
    assert [requested, again, rested] == [0, 1, 0]


@pytest.mark.parametrize("made_by", ["dagster", "engine"])
async def test_pools_and_limits_of_tags(bench: Bench, made_by: str) -> None:
    bench.serve(CHAIN)
    bench.model.hang_on("two")
    pool = names.pool_name("chain")
    bench.instance.event_log_storage.set_concurrency_slots(pool, 1)
    waiting = bench.prepare("chain")

    def blocked() -> tuple[bool, bool]:
        under_way = bench.instance.get_run_records(RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES))
        limits = [{"key": names.AGENT_TAG, "value": "chain", "limit": 1}]
        of_tags = TagConcurrencyLimitsCounter(limits, [r.dagster_run for r in under_way])
        of_pools = GlobalOpConcurrencyLimitsCounter(
            bench.instance,
            [waiting],
            under_way,
            {pool},
            bench.instance.event_log_storage.get_pool_limits(),
            pool_granularity=bench.instance.get_concurrency_config().pool_config.pool_granularity,
        )
        return of_tags.is_blocked(waiting), of_pools.is_blocked(waiting)

    assert blocked() == (False, False)
    async with lane.engine(bench) as engine:
        if made_by == "engine":
            event = accepted(bench, "chain")
            await engine.begin(asked(bench, event, {}))
            run_id = str(state(bench, event)[1])
        else:
            run_id = bench.prepare("chain").run_id
            await engine.start(run_id)
        await until_asked(bench, "two")
        assert blocked() == (True, True)
        await engine.cancel(run_id)
    assert blocked() == (False, False)
