"""Dagster's tables through our storage: connections that last, events seen in their order."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from dagster import (
    AssetKey,
    AssetMaterialization,
    AssetSpec,
    DagsterInstance,
    Definitions,
    job,
    multi_asset,  # pyright: ignore[reportUnknownVariableType]
)
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.events.log import EventLogEntry

from agentflow_dagster.orchestration.storage import (
    EVENT_ORDER,
    OrderedEventLog,
    note_plans_at_once,
)
from tests.orchestration.conftest import opened_instance
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from dagster import DagsterRun

EACH = 80


@multi_asset(specs=[AssetSpec(name) for name in "abc"])
def many():  # pyright: ignore[reportUnknownParameterType]
    """Three assets."""


@job
def does_nothing() -> None:
    """A job of no ops."""


@pytest.fixture
def writers(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[tuple[DagsterInstance, DagsterInstance]]:
    """Two instances on one database, as two processes have them."""
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(opened_instance(tmp_path, database_url, monkeypatch))
            for _ in range(2)
        )
        yield first, second


@pytest.fixture
def reader(database_url: str) -> Generator[sa.Engine]:
    engine = sa.create_engine(database_url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


def made(asset: str, number: int) -> EventLogEntry:
    data = StepMaterializationData(AssetMaterialization(asset, tags={"dagster/n": str(number)}), [])
    event = DagsterEvent("ASSET_MATERIALIZATION", "job", event_specific_data=data)
    return EventLogEntry(None, 20, "", f"run-{asset}", time.time(), dagster_event=event)


def seen(reader: sa.Engine, beyond: int) -> list[int]:
    text = sa.text("SELECT id FROM event_logs WHERE id > :beyond ORDER BY id")
    with reader.connect() as connection:
        return [row.id for row in connection.execute(text, {"beyond": beyond})]


def test_the_instance_uses_it(writers: tuple[DagsterInstance, DagsterInstance]) -> None:
    assert isinstance(writers[0].event_log_storage, OrderedEventLog)


def test_instances_of_a_process_share_their_connections(
    writers: tuple[DagsterInstance, DagsterInstance],
) -> None:
    """A code server makes an instance for every tick of every sensor."""
    first, second = (vars(one.event_log_storage)["_engine"] for one in writers)
    assert first is second


def test_a_reader_that_goes_on_from_an_id_misses_nothing(
    writers: tuple[DagsterInstance, DagsterInstance], reader: sa.Engine
) -> None:
    def write(instance: DagsterInstance, asset: str) -> None:
        for number in range(EACH):
            instance.event_log_storage.store_event(made(asset, number))

    followed: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        work = [pool.submit(write, one, name) for one, name in zip(writers, "ab", strict=True)]
        done = False
        while not done:
            done = all(one.done() for one in work)
            followed += seen(reader, followed[-1] if followed else 0)
        for one in work:
            one.result()
    assert len(followed) == 2 * EACH
    assert followed == seen(reader, 0)


def test_a_later_event_waits_for_an_earlier_one(
    writers: tuple[DagsterInstance, DagsterInstance],
    reader: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow, quick = writers[0].event_log_storage, writers[1].event_log_storage
    assert isinstance(slow, OrderedEventLog)
    stored, go_on = threading.Event(), threading.Event()
    whole = slow._store_asset_event

    def held(*args: Any) -> None:
        stored.set()
        assert go_on.wait(30)
        whole(*args)

    monkeypatch.setattr(slow, "_store_asset_event", held)
    waiting = sa.text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = :key AND NOT granted"
    )

    def waits() -> int:
        with reader.connect() as connection:
            return int(connection.execute(waiting, {"key": EVENT_ORDER}).scalar_one())

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(slow.store_event, made("a", 1))
        assert stored.wait(30)
        second = pool.submit(quick.store_event, made("b", 1))
        wait_until(waits)
        assert seen(reader, 0) == []
        go_on.set()
        first.result(30)
        second.result(30)
    assert len(seen(reader, 0)) == 2
    found = [one.get_latest_materialization_event(AssetKey("a")) for one in writers]
    assert None not in found


def test_connections_last(
    writers: tuple[DagsterInstance, DagsterInstance], reader: sa.Engine
) -> None:
    ours = sa.text(
        "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    def connections() -> list[int]:
        with reader.connect() as connection:
            return list(connection.execute(ours).scalar_one() or [])

    writers[0].event_log_storage.store_event(made("a", 0))
    before = connections()
    for number in range(5):
        writers[0].event_log_storage.store_event(made("a", number))
        assert writers[0].get_latest_materialization_event(AssetKey("a")) is not None
    assert connections() == before


def test_nothing_is_stored_of_an_event_that_fails(
    writers: tuple[DagsterInstance, DagsterInstance],
    reader: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = writers[0].event_log_storage

    def refuses(*_: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(events, "_store_asset_event", refuses)
        with pytest.raises(OSError, match="no room"):
            events.store_event(made("a", 0))
    assert seen(reader, 0) == []
    events.store_event(made("a", 1))
    assert len(seen(reader, 0)) == 1


def test_what_an_event_makes_of_its_run_is_stored_with_it_or_not_at_all(
    writers: tuple[DagsterInstance, DagsterInstance],
    reader: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = writers
    run = first.create_run_for_job(does_nothing)
    before = seen(reader, 0)

    def refuses(*_: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(vars(first.event_log_storage)["_runs"], "_get_run_by_id", refuses)
        with pytest.raises(OSError, match="no room"):
            first.report_dagster_event(DagsterEvent("PIPELINE_STARTING", "job"), run.run_id)
    assert seen(reader, 0) == before
    assert status(second, run) == "NOT_STARTED"
    first.report_dagster_event(DagsterEvent("PIPELINE_STARTING", "job"), run.run_id)
    assert len(seen(reader, 0)) == len(before) + 1
    assert status(second, run) == "STARTING"


@pytest.mark.parametrize("event", ["PIPELINE_START", "RUN_SUSPENDED"])
def test_a_run_that_is_to_be_canceled_seems_neither_to_start_nor_to_be_suspended(
    writers: tuple[DagsterInstance, DagsterInstance], event: str
) -> None:
    first, second = writers
    run = first.create_run_for_job(does_nothing)
    second.report_run_canceling(run)
    first.report_dagster_event(DagsterEvent(event, "job"), run.run_id)
    assert status(second, run) == "CANCELING"


def test_the_start_of_a_run_is_stored_at_once_and_in_its_order(
    writers: tuple[DagsterInstance, DagsterInstance], reader: sa.Engine
) -> None:
    first, second = writers
    run = first.create_run_for_job(does_nothing)
    events = first.event_log_storage
    assert isinstance(events, OrderedEventLog)
    start = events.keep_start(run.run_id, {"where": "here"})
    kinds = ["ENGINE_EVENT", "PIPELINE_START", "STEP_START", "STEP_SKIPPED"]
    first.report_engine_event("begins", run)
    for kind in kinds[1:3]:
        first.report_dagster_event(DagsterEvent(kind, "job"), run.run_id)
    start.flush()
    assert transactions(reader, run) == 1
    assert status(second, run) == "STARTED"
    found = second.get_run_by_id(run.run_id)
    assert found is not None
    assert found.tags["where"] == "here"
    first.report_dagster_event(DagsterEvent(kinds[-1], "job"), run.run_id)
    told = [entry.dagster_event for entry in second.all_logs(run.run_id)]
    assert [event.event_type_value for event in told if event] == kinds


def test_what_a_run_is_to_make_is_stored_at_once_and_as_ever(
    writers: tuple[DagsterInstance, DagsterInstance],
    reader: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    makes = Definitions(assets=[many]).resolve_implicit_global_asset_job_def()
    one_by_one = writers[0].create_run_for_job(makes)
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "")
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE")
    note_plans_at_once()
    at_once = writers[0].create_run_for_job(makes)
    assert transactions(reader, at_once) == 1 < transactions(reader, one_by_one)
    told = [
        [(e.dagster_event_type, e.get_dagster_event().asset_key) for e in writers[1].all_logs(id_)]
        for id_ in (one_by_one.run_id, at_once.run_id)
    ]
    assert told[0] == told[1]
    assert len(told[1]) == 3
    keys = [key for _, key in told[1] if key is not None]
    found = writers[1].get_asset_records(keys)
    assert [each.asset_entry.last_run_id for each in found] == [at_once.run_id] * 3


def transactions(reader: sa.Engine, run: DagsterRun) -> int:
    """How many there were of a run's events."""
    text = sa.text("SELECT count(DISTINCT xmin::text) FROM event_logs WHERE run_id = :run")
    with reader.connect() as connection:
        return int(connection.execute(text, {"run": run.run_id}).scalar_one())


def status(instance: DagsterInstance, run: DagsterRun) -> str:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status.value
