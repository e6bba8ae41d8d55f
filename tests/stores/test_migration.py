"""The tables of a database are made once, by whoever comes first, and are what the code expects."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from agentflow_dagster.errors import StoreError
from agentflow_dagster.stores.engine import create_engine, transaction
from agentflow_dagster.stores.migration import HEAD, MIGRATIONS, migrate
from agentflow_dagster.stores.tables import SCHEMA, metadata

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture
def engine(empty_database_url: str) -> Generator[sa.Engine]:
    engine = create_engine(empty_database_url)
    yield engine
    engine.dispose()


def test_makes_the_tables_once(engine: sa.Engine) -> None:
    assert migrate(engine)
    assert not migrate(engine)
    assert set(sa.inspect(engine).get_table_names(SCHEMA)) == {
        "alembic_version",
        *(table.name for table in metadata.tables.values()),
    }
    assert sa.inspect(engine).get_table_names("public") == []


def test_tables_are_what_the_code_expects(engine: sa.Engine) -> None:
    migrate(engine)
    options = {
        "version_table_schema": SCHEMA,
        "include_schemas": True,
        "include_name": _ours,
        "compare_type": True,
        "compare_server_default": True,
    }
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_checks_are_what_the_code_expects(engine: sa.Engine) -> None:
    migrate(engine)
    made = _checks(engine)
    with transaction(engine) as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert made == _checks(engine)


def test_written_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_threads_at_once(engine: sa.Engine) -> None:
    gate = threading.Barrier(6)

    def start(_: int) -> bool:
        gate.wait()
        return migrate(engine)

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(start, range(6))) == [False] * 5 + [True]


def _migrate(url: str) -> None:
    migrate(create_engine(url))


def test_processes_at_once(empty_database_url: str, engine: sa.Engine) -> None:
    fork = get_context("fork")
    processes = [fork.Process(target=_migrate, args=(empty_database_url,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert not migrate(engine)


def test_schema_that_is_there_already_is_used(engine: sa.Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(sa.schema.CreateSchema(SCHEMA))
    assert migrate(engine)


def test_failure_leaves_nothing_behind(engine: sa.Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(sa.schema.CreateSchema(SCHEMA))
        connection.execute(sa.text("CREATE TABLE agentflow.inbox (in_the_way int)"))
    with pytest.raises(StoreError, match="already exists"):
        migrate(engine)
    assert sa.inspect(engine).get_table_names(SCHEMA) == ["inbox"]


def test_database_of_a_newer_release_is_left_alone(engine: sa.Engine) -> None:
    migrate(engine)
    with transaction(engine) as connection:
        connection.execute(sa.text("UPDATE agentflow.alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"another AgentFlow.*9999"):
        migrate(engine)


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "schema" or name == SCHEMA


def _checks(engine: sa.Engine) -> set[str]:
    constraints = sa.text(
        "SELECT conname || pg_get_constraintdef(c.oid) FROM pg_constraint c"
        " JOIN pg_namespace n ON n.oid = connamespace"
        " WHERE nspname = 'agentflow' AND contype <> 'n' AND conname NOT LIKE 'alembic%'"
    )
    with engine.connect() as connection:
        return set(connection.scalars(constraints))
