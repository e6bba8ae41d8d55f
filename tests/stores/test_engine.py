"""Connections: errors that say what to do and never a password, and forks that keep apart."""

from __future__ import annotations

import traceback
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from agentflow_dagster.errors import StoreError
from agentflow_dagster.stores.engine import create_engine, single, transaction
from agentflow_dagster.stores.inbox import PostgresInbox

if TYPE_CHECKING:
    from collections.abc import Generator

PASSWORD = "Hunter2"


@pytest.fixture
def engine(database_url: str) -> Generator[sa.Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


def shown(error: BaseException) -> str:
    """All that a traceback of the error would print, but for the lines of source."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg2://ada:{PASSWORD}@127.0.0.1:1/agents",
        f"postgresql://127.0.0.1:1/agents?user=ada&password={PASSWORD}",
        f"postgresql://ada:{PASSWORD}@/agents?host=/nowhere",
        f"postgresql://ada:{PASSWORD}@127.0.0.1:1/agents?no_such_option={PASSWORD}",
    ],
)
def test_unreachable_database_says_what_to_do_without_the_password(url: str) -> None:
    engine = create_engine(url)
    with pytest.raises(StoreError) as raised, transaction(engine):
        pass
    assert "AGENTFLOW_DATABASE_URL" in str(raised.value)
    assert "/agents" in str(raised.value)
    assert PASSWORD not in shown(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ada:{PASSWORD}:{PASSWORD}/agents",
        f"postgresql://ada:{PASSWORD}@host:{PASSWORD}/agents",
        f"mysql://ada:{PASSWORD}@host/agents",
        PASSWORD,
        "",
    ],
)
def test_what_is_no_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(StoreError, match="cannot be read") as raised:
        create_engine(url)
    assert PASSWORD not in shown(raised.value)


def test_missing_tables_are_told(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with pytest.raises(StoreError, match="does not have the tables"):
        PostgresInbox(engine).get(1)
    engine.dispose()


def test_names_that_cannot_be_stored_are_refused(engine: sa.Engine) -> None:
    inbox = PostgresInbox(engine)
    for name in ("x" * 256, "a\0b", "a\ud800b"):
        with pytest.raises(StoreError, match="refused"):
            inbox.add(name, "trigger", {})
    with pytest.raises(StoreError, match="too long"):
        inbox.add("agent", "trigger", {}, idempotency_key="k" * 501)


def test_excerpt_of_a_statement_is_not_shown(engine: sa.Engine) -> None:
    def fail() -> None:
        with transaction(engine) as connection:
            connection.execute(sa.text("SELECT CAST('Hunter2 {' AS json)"))

    with pytest.raises(StoreError, match="invalid input syntax for type json") as raised:
        fail()
    assert PASSWORD not in "".join(
        traceback.format_exception(None, raised.value, None)  # without our own lines of source
    )


def test_failed_block_is_rolled_back(engine: sa.Engine) -> None:
    def fail() -> None:
        with transaction(engine) as connection:
            connection.execute(sa.text("CREATE TABLE half (x int)"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert "half" not in sa.inspect(engine).get_table_names()


def test_a_single_statement_is_committed_and_leaves_transactions_as_they_were(
    engine: sa.Engine,
) -> None:
    with single(engine) as connection:
        connection.execute(sa.text("CREATE TABLE whole (x int)"))
    assert "whole" in sa.inspect(engine).get_table_names()
    with pytest.raises(StoreError, match="refused"), single(engine) as connection:
        connection.execute(sa.text("SELECT 1 / 0"))
    test_failed_block_is_rolled_back(engine)
    assert engine.pool.status().startswith("Pool size: 5  Connections in pool: 1")


def test_a_connection_that_ends_in_a_single_statement_is_replaced(engine: sa.Engine) -> None:
    end_itself = sa.text("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(StoreError, match="AGENTFLOW_DATABASE_URL"), single(engine) as connection:
        connection.execute(end_itself)
    with single(engine) as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1


def test_connection_that_the_server_ended_is_replaced(engine: sa.Engine) -> None:
    end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    pool = [engine.connect(), engine.connect()]
    pool[0].execute(sa.text(f"{end_all} AND datname = current_database()"))
    for connection in pool:
        connection.close()
    for _ in range(2):
        assert PostgresInbox(engine).get(1) is None


def _use(engine: sa.Engine) -> None:
    for _ in range(50):
        assert PostgresInbox(engine).get(1) is None


def test_forked_children_do_not_share_a_connection(engine: sa.Engine) -> None:
    _use(engine)
    children = [get_context("fork").Process(target=_use, args=(engine,)) for _ in range(2)]
    for child in children:
        child.start()
    _use(engine)
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    _use(engine)
