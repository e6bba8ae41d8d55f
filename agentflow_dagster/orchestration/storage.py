"""Dagster's tables in our PostgreSQL: few connections that last, and events seen in their order.

Dagster's own storage opens a connection for each event. And readers that go on from an event's id,
as sensors and the asset daemon do, miss an event whose transaction commits after that of a later
one; so every writer holds one lock of the database from the id to the commit.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from dagster import DagsterEventType, DagsterRunStatus
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._time import datetime_from_timestamp
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from dagster_postgres.storage import DagsterPostgresStorage

from agentflow_dagster.orchestration.at_hand import AtHand, one_transaction
from agentflow_dagster.orchestration.live_events import CHANNEL
from agentflow_dagster.orchestration.owed_runs import OwedRuns
from agentflow_dagster.orchestration.run_start import RunStart
from agentflow_dagster.stores.engine import create_engine
from agentflow_dagster.stores.failures import note_failures

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from dagster import EventLogEntry
    from dagster._core.events import DagsterEvent
    from dagster._core.snap import ExecutionPlanSnapshot
    from dagster._serdes import ConfigurableClassData

EVENT_ORDER = 0x61676576
"""The key of the database's lock under which event ids are given out."""

_ALONE = sa.select(sa.func.pg_advisory_xact_lock(EVENT_ORDER), sa.func.pg_notify(CHANNEL, ""))
"""Whoever follows events is told once they are committed, and not where they are rolled back."""

_STATUS = sa.text("SELECT status FROM runs WHERE run_id = :run_id FOR UPDATE")
_OF_ASSETS = ASSET_EVENTS | ASSET_CHECK_EVENTS
_NOT_ONCE_CANCELING = {DagsterEventType.RUN_START, DagsterEventType.RUN_SUSPENDED}
_NO_ID = 0
"""Of an asset that is planned, its event's id is not kept."""
_IDLE, _MORE = 1, 63
_engine: dict[str, sa.Engine] = {}
"""This process's connections, by URL: Dagster makes an instance, storage and all, for each tick."""


class LastingStorage(DagsterPostgresStorage):
    """Dagster's storage, whose parts share one pool of connections in each process.

    Args:
        postgres_url: The database.
        should_autocreate_tables: False where the tables are there, as this release has them; then
            the database is not asked.
        inst_data: Dagster's.
    """

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,  # noqa: FBT001, FBT002 - as it is Dagster's
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        seen = postgres_url in _engine
        super().__init__(postgres_url, should_autocreate_tables and not seen, inst_data)
        self._run_storage = Runs(postgres_url, should_autocreate_tables=False)
        self._event_log_storage = OrderedEventLog(
            postgres_url, should_autocreate_tables=False, runs=self._run_storage
        )
        self._schedule_storage = Schedules(postgres_url, should_autocreate_tables=False)
        if not seen:
            made = create_engine(postgres_url, pool_size=_IDLE, max_overflow=_MORE)
            _engine.clear()
            _engine[postgres_url] = made.execution_options(isolation_level="AUTOCOMMIT")
        engine = _engine[postgres_url]
        at_hand = AtHand()
        for part in (self._run_storage, self._event_log_storage, self._schedule_storage):
            vars(part)["_engine"] = engine  # Theirs makes a connection for every call.
            vars(part)["_at_hand"] = at_hand
            vars(part)["_complete"] = not should_autocreate_tables

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, object]
    ) -> LastingStorage:
        create = bool(config_value.get("should_autocreate_tables", True))
        return cls(str(config_value["postgres_url"]), create, inst_data)


def note_plans_at_once() -> None:
    """Has this process store what the steps of a new run are to make in one transaction, where
    Dagster has one for each."""
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")


def _once(ask: Callable[..., bool]) -> Callable[..., bool]:
    """Remembers a yes: what the tables have is not taken away, and costs 10 ms to find out. Of
    complete tables it is not asked."""

    @wraps(ask)
    def remembered(self: Any, *what: str) -> bool:
        of_self = cast("dict[str, Any]", vars(self))
        if of_self.get("_complete"):
            return True
        known: set[tuple[str, ...]] = of_self.setdefault("_known", set())
        asked = (ask.__name__, *what)
        if asked not in known and ask(self, *what):
            known.add(asked)
        return asked in known

    return remembered


class Runs(OwedRuns):
    """Asks once which columns there are; an event's run is made once. A run is changed in one
    transaction with its tags."""

    _plan: tuple[str, ExecutionPlanSnapshot | None] = ("", None)

    def add_run_tags(self, run_id: str, new_tags: Mapping[str, str]) -> None:
        with self._one_transaction() as connection:
            # A run is read and then written: nobody else's tags or status may come in between.
            connection.execute(_STATUS, {"run_id": run_id})
            super().add_run_tags(run_id, new_tags)

    def handle_run_event(
        self, run_id: str, event: DagsterEvent, update_timestamp: datetime | None = None
    ) -> None:
        """Notes what an event makes of a run; one that is to be canceled neither starts nor is
        suspended any more, and is canceled by its process, which will have been told."""
        with self._one_transaction() as connection:
            status = connection.execute(_STATUS, {"run_id": run_id}).scalar()
            canceling = status == DagsterRunStatus.CANCELING.value
            if canceling and event.event_type in _NOT_ONCE_CANCELING:
                return
            super().handle_run_event(run_id, event, update_timestamp)

    def get_execution_plan_snapshot(self, execution_plan_snapshot_id: str) -> ExecutionPlanSnapshot:
        """Remembers the newest: its id is that of its content, and who carries out a run asks for
        it three times."""
        asked, known = self._plan
        if known is None or asked != execution_plan_snapshot_id:
            known = super().get_execution_plan_snapshot(execution_plan_snapshot_id)
            self._plan = (execution_plan_snapshot_id, known)
        return known

    def _core_add_run(self, col_values: dict[str, Any], tags: Mapping[str, str]) -> None:
        with self._one_transaction():
            super()._core_add_run(col_values, tags)

    has_run_stats_index_cols = _once(PostgresRunStorage.has_run_stats_index_cols)
    has_bulk_actions_selector_cols = _once(PostgresRunStorage.has_bulk_actions_selector_cols)
    has_backfill_id_column = _once(PostgresRunStorage.has_backfill_id_column)
    has_bulk_action_job_name_column = _once(PostgresRunStorage.has_bulk_action_job_name_column)
    has_backfill_tags_table = _once(PostgresRunStorage.has_backfill_tags_table)


class Schedules(PostgresScheduleStorage):
    """Asks once which tables there are."""

    has_instigators_table = _once(PostgresScheduleStorage.has_instigators_table)
    has_secondary_index_table = _once(PostgresScheduleStorage.has_secondary_index_table)
    has_built_index = _once(PostgresScheduleStorage.has_built_index)


class OrderedEventLog(PostgresEventLogStorage):
    """Stores events, each with all that is noted of it, in one transaction under the lock.

    Args:
        postgres_url: The database.
        should_autocreate_tables: Whether to make the tables.
        runs: What events say of runs is noted there with them; None leaves that to Dagster.
    """

    def __init__(
        self, postgres_url: str, *, should_autocreate_tables: bool, runs: Runs | None = None
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables)
        self._at_hand = AtHand()
        self._runs = runs
        self._start: RunStart | None = None

    def keep_start(self, run_id: str, tags: Mapping[str, str]) -> RunStart:
        """Has the events of a run's start, which this process carries out, stored at once, and the
        run tagged with them."""
        owed = dict(tags)

        def store(events: Sequence[EventLogEntry]) -> None:
            with self._in_order() as connection:
                self._insert(connection, events)
                self._note(connection, events)
                if owed and self._runs is not None:
                    self._runs.add_run_tags(run_id, owed)
            owed.clear()

        self._start = RunStart(run_id, store)
        return self._start

    @property
    def handles_run_events_in_store_event(self) -> bool:
        """Dagster's own retries are for Dagster to note."""
        return self._runs is not None and not self._instance.run_retries_enabled

    def store_event(self, event: EventLogEntry) -> None:
        if self._start is not None and self._start.takes(event):
            return
        with self._in_order() as connection:
            if _is_of_asset(event):
                super().store_event(event)
            else:
                self._insert(connection, [event])
            self._note(connection, [event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        with self._in_order() as connection:
            if all(_is_plan(event) for event in events):
                self._insert(connection, events)
                for event in events:
                    self._store_asset_event(connection, event, _NO_ID)
            else:
                super().store_event_batch(events)

    def _insert(self, connection: sa.Connection, events: Sequence[EventLogEntry]) -> None:
        """Stores events in their order, and nothing that other tables have of them."""
        rows = [self._event_to_row(event) for event in events]
        connection.execute(SqlEventLogStorageTable.insert(), rows)

    has_table = _once(PostgresEventLogStorage.has_table)

    def _note(self, connection: sa.Connection, events: Sequence[EventLogEntry]) -> None:
        told = [(entry, entry.dagster_event) for entry in events if entry.dagster_event is not None]
        failed = [e.run_id for e, of in told if of.event_type == DagsterEventType.RUN_FAILURE]
        if failed:
            note_failures(connection, failed)
        if self._runs is not None and self.handles_run_events_in_store_event:
            for entry, event in told:
                if event.is_job_event:
                    at = datetime_from_timestamp(entry.timestamp)
                    self._runs.handle_run_event(entry.run_id, event, at)

    def _connect(self) -> AbstractContextManager[sa.Connection]:
        ongoing = self._at_hand.connection
        return super()._connect() if ongoing is None else nullcontext(ongoing)

    @contextmanager
    def _in_order(self) -> Generator[sa.Connection]:
        with one_transaction(self._at_hand, super()._connect) as connection:
            if not self._at_hand.ordered:
                connection.execute(_ALONE)
                self._at_hand.ordered = True
            yield connection


def _is_of_asset(event: EventLogEntry) -> bool:
    told = event.dagster_event
    return told is not None and told.event_type in _OF_ASSETS


def _is_plan(event: EventLogEntry) -> bool:
    told = event.dagster_event
    return told is not None and told.is_asset_materialization_planned
