"""Dagster's tables in our PostgreSQL: few connections that last, and events seen in their order.

Dagster's own storage opens a connection for each event. And readers that go on from an event's id,
as sensors and the asset daemon do, miss an event whose transaction commits after that of a later
one; so every writer holds one lock of the database from the id to the commit.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import sqlalchemy as sa
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.storage import DagsterPostgresStorage

from agentflow_dagster.stores.engine import create_engine

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from dagster import EventLogEntry
    from dagster._serdes import ConfigurableClassData

EVENT_ORDER = 0x61676576
"""The key of the database's lock under which event ids are given out."""

_IDLE, _MORE = 1, 63


class LastingStorage(DagsterPostgresStorage):
    """Dagster's storage, whose parts share one pool of connections in each process."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,  # noqa: FBT001, FBT002 - as it is Dagster's
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        self._event_log_storage = OrderedEventLog(postgres_url, should_autocreate_tables=False)
        engine = create_engine(postgres_url, pool_size=_IDLE, max_overflow=_MORE)
        engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        for part in (self._run_storage, self._event_log_storage, self._schedule_storage):
            vars(part)["_engine"] = engine  # Theirs makes a connection for every call.

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, object]
    ) -> LastingStorage:
        return cls(str(config_value["postgres_url"]), inst_data=inst_data)


class OrderedEventLog(PostgresEventLogStorage):
    """Stores events, each with all that is noted of it, in one transaction under the lock."""

    def __init__(self, postgres_url: str, *, should_autocreate_tables: bool) -> None:
        super().__init__(postgres_url, should_autocreate_tables)
        self._at_hand = threading.local()
        self._tables: set[str] = set()

    def store_event(self, event: EventLogEntry) -> None:
        with self._in_order():
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        with self._in_order():
            super().store_event_batch(events)

    def has_table(self, table_name: str) -> bool:
        """Asks once: what is there is not taken away."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def _connect(self) -> AbstractContextManager[sa.Connection]:
        ongoing: sa.Connection | None = getattr(self._at_hand, "connection", None)
        return super()._connect() if ongoing is None else nullcontext(ongoing)

    @contextmanager
    def _in_order(self) -> Generator[None]:
        if getattr(self._at_hand, "connection", None) is not None:
            yield
            return
        with super()._connect() as connection:
            writing = connection.execution_options(isolation_level="READ COMMITTED")
            with writing.begin():
                writing.execute(sa.select(sa.func.pg_advisory_xact_lock(EVENT_ORDER)))
                self._at_hand.connection = writing
                try:
                    yield
                finally:
                    del self._at_hand.connection
