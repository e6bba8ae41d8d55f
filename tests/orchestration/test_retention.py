"""What is past its age goes, and what somebody still needs stays."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterRun,
    DagsterRunStatus,
    build_schedule_context,
)

from agentflow_dagster.orchestration import retention as retention_module
from agentflow_dagster.orchestration.retention import Ages, Retention
from agentflow_dagster.orchestration.retention_schedule import retention_schedule
from agentflow_dagster.orchestration.storage import EVENT_ORDER
from agentflow_dagster.ports.stores import StepOutput
from agentflow_dagster.stores.memo import PostgresMemo
from tests.orchestration import lane
from tests.orchestration.samples import TRIAGE, agent
from tests.orchestration.test_checks import contract, evaluations

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.orchestration.bench import Bench, Ran

DAY = 86_400.0
NODE = '    one: {kind: ai.chat, with: {prompt: "one"}}\n'
SHORT = agent("short", NODE, more="config: {retentionDays: 10}")
LONG = agent("long", NODE)
DAILY = agent("daily", NODE, more="partitions: {daily: {start: '2026-01-01', end: '2026-02-01'}}\n")


@pytest.fixture
def retention(bench: Bench) -> Retention:
    """Of a project that keeps its runs for 90 days."""
    url = bench.database_url
    return Retention(lambda: nullcontext(url), bench.artifacts, bench.artifacts.parent / "logs", 90)


@pytest.fixture
def database(bench: Bench) -> Generator[sa.Engine]:
    engine = sa.create_engine(bench.database_url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


def in_days(days: float) -> float:
    return time.time() + days * DAY


def there(bench: Bench) -> set[str]:
    return {run.run_id for run in bench.instance.get_runs()}


def counted(database: sa.Engine, table: str) -> int:
    with database.connect() as connection:
        return connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()


def ended_later(database: sa.Engine, run: Ran, days: int) -> None:
    with database.connect() as connection:
        later = sa.text("""
            UPDATE runs SET end_time = end_time + 86400 * :by,
              create_timestamp = create_timestamp + make_interval(days => :by)
            WHERE run_id = :run""")
        connection.execute(later, {"by": days, "run": run.run_id})


def ran(bench: Bench, name: str, times: int) -> list[Ran]:
    return [bench.run(name) for _ in range(times)]


@pytest.mark.parametrize("by_engine", [True, False])
def test_all_that_a_run_left_goes_with_it(
    bench: Bench, retention: Retention, database: sa.Engine, by_engine: bool
) -> None:
    bench.serve(LONG)
    run = (lambda: lane.run(bench, "long")) if by_engine else (lambda: bench.run("long"))
    old, newest = run(), run()
    (log := retention.logs / old.run_id).mkdir(parents=True)
    assert retention.clear(now=in_days(89)).runs.total() == 0
    tables = ("event_logs", "run_tags", "asset_event_tags", "agentflow.step_outputs")
    before = {table: counted(database, table) for table in tables}

    cleared = retention.clear(now=in_days(91))
    assert there(bench) == {newest.run_id}
    assert (cleared.runs, cleared.events) == ({"long": 1}, len(old.events))
    assert cleared.whole
    assert {table: counted(database, table) * 2 for table in tables} == before
    assert bench.stores.steps.all(old.run_id) == {}
    assert not log.exists()
    kept = bench.instance.get_latest_materialization_event(AssetKey(["long", "one"]))
    assert kept is not None
    assert kept.run_id == newest.run_id
    assert bench.ran(newest.run_id).events == newest.events
    assert retention.clear(now=in_days(1000)).runs.total() == 0


def test_each_agent_has_its_age(bench: Bench, retention: Retention) -> None:
    bench.serve(SHORT, LONG)
    bench.version(SHORT, deploy=True)
    short, long = ran(bench, "short", 2), ran(bench, "long", 2)
    assert retention.clear(now=in_days(11), dry=True).runs == {"short": 1}
    assert len(there(bench)) == 4
    retention.clear(now=in_days(11))
    assert there(bench) == {short[1].run_id, long[0].run_id, long[1].run_id}


def test_the_longest_age_of_several_environments_holds() -> None:
    ages = Ages(90, {"a": [10, 30], "b": [10, None], "c": [None], "d": [365]})
    assert [ages.of(name) for name in "abcdx"] == [30, 90, 90, 365, 90]
    for_ever = Ages(None, {"a": [10, 30], "b": [10, None]})
    assert [for_ever.of(name) for name in "abx"] == [30, None, None]
    assert for_ever.cut(0.0, "a") == -30 * DAY
    assert for_ever.cut(0.0) == float("-inf")


def test_nothing_goes_of_a_project_that_keeps_all(bench: Bench, retention: Retention) -> None:
    bench.serve(LONG, SHORT)
    bench.version(SHORT, deploy=True)
    kept = ran(bench, "long", 2)
    of_short = ran(bench, "short", 2)
    for_ever = Retention(retention.database, retention.artifacts, retention.logs, None)
    for_ever.clear(now=in_days(3000))
    assert there(bench) == {*(run.run_id for run in kept), of_short[1].run_id}


def test_what_has_not_ended_stays(bench: Bench, retention: Retention) -> None:
    bench.serve(LONG)
    ran(bench, "long", 2)
    ended = {DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}
    queued = DagsterRunStatus.QUEUED  # which Dagster wants to know more of
    under_way = {
        bench.instance.add_run(DagsterRun("long_job", status=status)).run_id
        for status in set(DagsterRunStatus) - ended - {queued}
    }
    assert retention.clear(now=in_days(1000)).runs.total() == 1
    assert under_way < there(bench)


def test_what_a_run_names_that_stays(
    bench: Bench, retention: Retention, database: sa.Engine
) -> None:
    bench.serve(TRIAGE, LONG)
    source = bench.run("support-triage", {"body": "a bug"})
    part = bench.partial("support-triage", "done", config={"source_run": source.run_id})
    assert part.status == "SUCCESS"
    first = bench.run("long")
    again = bench.run("long", tags={"dagster/parent_run_id": first.run_id})
    newest = [bench.run("support-triage", {"body": "a bug"}), bench.run("long")]
    newest += [bench.run("support-triage", {"body": "else"})]
    for young in (part, again):
        ended_later(database, young, 60)
    assert retention.clear(now=in_days(100)).runs.total() == 0
    assert retention.clear(now=in_days(151)).runs == {"support-triage": 2, "long": 2}
    assert there(bench) == {run.run_id for run in newest}


def test_the_newest_of_each_partition_stays(bench: Bench, retention: Retention) -> None:
    bench.serve(DAILY)
    days = {day: {"dagster/partition": f"2026-01-0{day}"} for day in (1, 2)}
    runs = [bench.run("daily", tags=days[day]) for day in (1, 1, 2)]
    retention.clear(now=in_days(100))
    assert there(bench) == {runs[1].run_id, runs[2].run_id}
    key = AssetKey(["daily", "one"])
    assert bench.instance.get_materialized_partitions(key) == {"2026-01-01", "2026-01-02"}


def test_the_newest_of_each_check_stays(bench: Bench, retention: Retention) -> None:
    bench.serve(contract("warn"))
    runs = [bench.run("contract-warn", {"n": n}) for n in (1, 2, 3)]
    with_check = runs[2]
    assert retention.clear(now=in_days(91)).runs.total() == 2
    assert there(bench) == {with_check.run_id}
    (told,) = evaluations(with_check)
    storage = bench.instance.event_log_storage
    checks = storage.get_asset_check_execution_history(told.asset_check_key, limit=9)
    assert [one.run_id for one in checks] == [with_check.run_id]


def test_values_of_a_run_of_several_agents_go(bench: Bench, retention: Retention) -> None:
    bench.serve(LONG, SHORT)
    old = bench.launch("__ASSET_JOB", config={}, select=["long/one", "short/one"])
    key = f"{old.run_id}/long"
    assert bench.stores.steps.all(key)
    ran(bench, "long", 1)
    ran(bench, "short", 1)
    assert retention.clear(now=in_days(91)).runs == {"": 1}
    assert bench.stores.steps.all(key) == {}


def test_it_goes_in_batches_for_so_long(
    bench: Bench, retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "MOST_RUNS", 2)
    bench.serve(LONG)
    runs = ran(bench, "long", 6)
    first = retention.clear(now=in_days(91), seconds=0)
    assert (first.runs.total(), first.whole) == (2, False)
    assert there(bench) == {run.run_id for run in runs[2:]}
    assert retention.clear(now=in_days(91)).runs.total() == 3
    assert there(bench) == {runs[5].run_id}


def test_replies_that_are_kept_go_by_their_own_age(
    bench: Bench, retention: Retention, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "MOST_RUNS", 2)
    bench.serve(SHORT)
    bench.version(SHORT, deploy=True)
    memo = PostgresMemo(database)
    for name, count in (("short", 3), ("gone", 2)):
        for n in range(count):
            asyncio.run(memo.put(f"{name}-{n}", name, {"text": "a secret of a customer's"}))
    table = "agentflow.model_memo"
    assert retention.clear(now=in_days(9)).replies == 0
    assert retention.clear(now=in_days(11), dry=True).replies == 3
    assert counted(database, table) == 5
    assert retention.clear(now=in_days(11)).replies == 3
    assert counted(database, table) == 2
    assert retention.clear(now=in_days(91)).replies == 2


def test_nobody_who_writes_is_waited_for(
    bench: Bench, retention: Retention, database: sa.Engine
) -> None:
    bench.serve(LONG)
    held, free, _ = ran(bench, "long", 3)
    with database.connect() as connection:
        writing = connection.execution_options(isolation_level="READ COMMITTED")
        with writing.begin():
            writing.execute(sa.select(sa.func.pg_advisory_xact_lock(EVENT_ORDER)))
            one = sa.text("SELECT 1 FROM runs WHERE run_id = :run FOR UPDATE")
            writing.execute(one, {"run": held.run_id})
            assert retention.clear(now=in_days(91)).runs.total() == 1
    assert held.run_id in there(bench)
    assert free.run_id not in there(bench)


def test_files_go_that_nothing_names(
    bench: Bench, retention: Retention, database: sa.Engine
) -> None:
    bench.serve(LONG)
    old, newest = ran(bench, "long", 2)
    ended_later(database, old, -100)
    named = artifact(bench, newest, "a")
    gone = artifact(bench, old, "b")
    retention.clear()
    assert named.exists()
    assert gone.exists()  # It might be of a run whose row is being written at this moment.
    for path in (named, gone):
        os.utime(path, (0, 0))
    cleared = retention.clear()
    assert (cleared.files, cleared.file_bytes > 100_000) == (1, True)
    assert named.exists()
    assert not gone.exists()
    assert bench.stores.steps.all(newest.run_id)["large"].value == "a" * 100_000


def test_a_file_that_is_written_again_stays(bench: Bench, retention: Retention) -> None:
    bench.serve(LONG)
    retention.clear()
    (one,) = ran(bench, "long", 1)
    path = artifact(bench, one, "c")
    os.utime(path, (0, 0))
    bench.stores.steps.row("another", "large", StepOutput("result", "c" * 100_000))
    bench.stores.steps.put(one.run_id, "large", StepOutput("result", "small by now"))
    assert retention.clear().files == 0
    assert path.exists()
    assert retention.clear(now=in_days(2)).files == 1


def artifact(bench: Bench, run: Ran, text: str) -> Path:
    """The file of a large value that a run leaves."""
    bench.stores.steps.put(run.run_id, "large", StepOutput("result", text * 100_000))
    digest = hashlib.sha256(f'"{text * 100_000}"'.encode()).hexdigest()
    return bench.artifacts / "sha256" / digest[:2] / digest


def test_calls_that_are_settled_go(bench: Bench, retention: Retention) -> None:
    inbox = bench.stores.inbox
    started, rejected, pending = (
        inbox.add("long", "calls", {}, idempotency_key=str(n))[0] for n in range(3)
    )
    inbox.settle({started.id: "a-run"})
    inbox.reject(rejected.id, "no input")
    assert retention.clear(now=in_days(89)).calls == 0
    assert retention.clear(now=in_days(91), dry=True).calls == 2
    assert retention.clear(now=in_days(91)).calls == 2
    assert inbox.get(pending.id) is not None
    assert inbox.get(started.id) is None


def test_what_is_owed_another_run_stays(
    bench: Bench, retention: Retention, database: sa.Engine
) -> None:
    bench.serve(LONG)
    unjudged, waiting, dead, _ = ran(bench, "long", 4)
    of_runs = sa.text(
        "INSERT INTO agentflow.failures (run_id, state, due) VALUES (:run, :state, now())"
    )
    with database.connect() as connection:
        for run, state in ((unjudged, "new"), (waiting, "waiting"), (dead, "dead")):
            connection.execute(of_runs, {"run": run.run_id, "state": state})
    assert retention.clear(now=in_days(91)).runs.total() == 1
    assert there(bench) >= {unjudged.run_id, waiting.run_id}
    assert counted(database, "agentflow.failures") == 2


def test_the_schedule_asks_for_a_run_where_something_is_due(
    bench: Bench, retention: Retention, database: sa.Engine
) -> None:
    bench.serve(LONG)
    old, newest = ran(bench, "long", 2)
    schedule = retention_schedule(retention)

    def tick(at: str) -> Any:
        moment = datetime.fromisoformat(at)
        with build_schedule_context(bench.instance, scheduled_execution_time=moment) as context:
            told = schedule.evaluate_tick(context)
        return told.skip_message or [request.run_key for request in told.run_requests or ()]

    assert tick("2026-01-01T12:23:00+00:00") == "Nothing is past its age."
    assert tick("2026-01-01T03:23:00+00:00") == ["2026-01-01T03:23:00+00:00"]
    ended_later(database, old, -100)
    assert tick("2026-01-01T12:23:00+00:00") == ["2026-01-01T12:23:00+00:00"]
    job: Any = schedule.job
    done = job.execute_in_process(instance=bench.instance)
    assert done.success
    assert there(bench) == {newest.run_id, done.run_id}
    (left,) = [e for e in done.all_events if e.event_type == DagsterEventType.STEP_OUTPUT]
    assert left.step_output_data.metadata["runs"].value == 1
