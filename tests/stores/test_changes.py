"""Changes of several tables are one statement: all or none."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import pytest

from agentflow_dagster.stores.changes import Change, change_all
from agentflow_dagster.stores.connection import connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from agentflow_dagster.stores.connection import Connection

LETTERS = Change("letters", "INSERT INTO a SELECT unnest($1::text[])")
NUMBERS = Change(
    "numbers",
    "INSERT INTO b SELECT n + $2 FROM unnest($1::int[]) AS n RETURNING n",
    "array_agg(n ORDER BY n)",
)


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Connection]:
    connection = await connect(url)
    try:
        await connection.execute("CREATE TEMPORARY TABLE a (letter text PRIMARY KEY)")
        await connection.execute("CREATE TEMPORARY TABLE b (n int)")
        yield connection
    finally:
        connection.terminate()


async def test_each_has_its_own_values(database_url: str) -> None:
    async with opened(database_url) as connection:
        told = await change_all(connection, [(LETTERS, [["x", "y"]]), (NUMBERS, [[1, 2], 10])])
        assert told["numbers"] == [11, 12]
        letters = await connection.fetch("SELECT letter FROM a ORDER BY letter")
        assert [row["letter"] for row in letters] == ["x", "y"]


async def test_nothing_may_be_there_to_tell(database_url: str) -> None:
    async with opened(database_url) as connection:
        await change_all(connection, [(LETTERS, [["x"]])])
        assert (await change_all(connection, [(NUMBERS, [[], 10])]))["numbers"] is None


async def test_none_is_done_where_one_is_refused(database_url: str) -> None:
    async with opened(database_url) as connection:
        with pytest.raises(asyncpg.UniqueViolationError):
            await change_all(connection, [(NUMBERS, [[1], 0]), (LETTERS, [["x", "x"]])])
        assert not await connection.fetch("SELECT * FROM b")
