"""Connections for who has many things to store at once and one event loop to do it in (asyncpg)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from agentflow_dagster.stores.engine import create_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager

    import asyncpg


class Connection(Protocol):
    """What is used of asyncpg's."""

    async def fetch(self, query: str, *values: object) -> Sequence[asyncpg.Record]: ...

    async def execute(self, query: str, *values: object) -> str: ...

    async def executemany(self, query: str, values: Iterable[Sequence[object]]) -> None: ...

    async def copy_records_to_table(
        self, table: str, *, records: Iterable[Sequence[object]], columns: Sequence[str]
    ) -> str: ...

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None: ...

    def is_closed(self) -> bool: ...

    def transaction(self) -> AbstractAsyncContextManager[object]: ...

    async def close(self, *, timeout: float) -> None: ...  # noqa: ASYNC109 - as it is theirs

    def terminate(self) -> None: ...


_PLANNING = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
"""A statement is planned once: to plan it takes longer than to change a few rows. The plan has to
hold when the tables have grown, so rows are found by their indexes from the beginning."""


async def connect(url: str) -> Connection:
    """Opens a connection to the database of a URL as `database_url` gives it.

    Raises:
        OSError: there is nobody.
        asyncpg.PostgresError: it refused.
    """
    import asyncpg

    parsed = create_engine(url).url
    host = parsed.query.get("host") or parsed.host
    opened = await cast("Any", asyncpg).connect(
        host=host,
        port=parsed.port,
        user=parsed.username,
        password=parsed.password,
        database=parsed.database,
        timeout=10,
        server_settings={"application_name": "agentflow", **_PLANNING},
    )
    return cast("Connection", opened)
