"""Dagster's tables and ours stand in one database without touching each other."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from dagster_postgres import DagsterPostgresStorage

from agentflow_dagster.stores.engine import create_engine
from agentflow_dagster.stores.migration import migrate


@pytest.mark.parametrize("first", ["dagster", "agentflow"])
def test_either_may_come_first(empty_database_url: str, first: str) -> None:
    engine = create_engine(empty_database_url)

    def make_dagsters_tables() -> None:
        storage = DagsterPostgresStorage(empty_database_url, should_autocreate_tables=True)
        assert storage.run_storage.get_runs_count() == 0
        for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
            part.dispose()

    if first == "dagster":
        make_dagsters_tables()
    assert migrate(engine)
    if first == "agentflow":
        make_dagsters_tables()
    assert not migrate(engine)
    tables = sa.inspect(engine)
    assert {"runs", "event_logs"} <= set(tables.get_table_names("public"))
    assert {"versions", "inbox"} <= set(tables.get_table_names("agentflow"))
    engine.dispose()
