"""Follows what becomes of runs: PostgreSQL tells of commits, and events are read by their ids.

A notification says nothing but that there is something new, so that those of a burst are one. Ids
become visible in their order (`storage.py`), so that what lies beyond the last one that was read is
all that is new, also after a connection was lost.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.orchestration.event_reading import TOLD, read_event
from agentflow_dagster.orchestration.names import AGENT_TAG
from agentflow_dagster.ports.live_events import EventId, ModelSaid, RunChanged, RunEnd
from agentflow_dagster.stores.connection import connect
from agentflow_dagster.stores.live_texts import CHANNEL as SAID

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    import asyncpg

    from agentflow_dagster.ports.live_events import LiveEvent

CHANNEL = "agentflow_events"
"""What every transaction that stores events notifies."""

_MOST = 500
"""Events that are read at a time."""
_LOOK_SECONDS = 15.0
"""How long nothing may come before it is seen whether the connection still is one."""
_CLOCK_SECONDS = 0.000_001
"""What Dagster's tables keep of a time."""
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 2.0

# The newest id is of the same moment as the events, so that the next look begins behind it and does
# not walk over what was left out.
_NEW = """
SELECT newest.id AS newest, found.*
FROM (SELECT coalesce(max(id), 0) AS id FROM event_logs) AS newest
LEFT JOIN LATERAL (
  SELECT e.id, e.dagster_event_type AS type, e.event, coalesce(whose.value, '') AS agent
  FROM event_logs AS e
  {join} run_tags AS whose ON whose.run_id = e.run_id AND whose.key = $4
  WHERE e.id > $1 AND e.id <= newest.id AND e.dagster_event_type = ANY($2) {which}
  ORDER BY e.id LIMIT $3
) AS found ON true ORDER BY found.id"""
_OF_ALL = _NEW.format(join="LEFT JOIN", which="")
_OF_AGENT = _NEW.format(join="JOIN", which="AND whose.value = $5")
_OF_RUN = _NEW.format(join="LEFT JOIN", which="AND e.run_id = $5")
_OVER = "SELECT status FROM runs WHERE run_id = $1 AND NOT status = ANY($2)"
# Goes from name to name by the index; there are few among many runs.
_AGENTS = """
WITH RECURSIVE found AS (
  SELECT min(value) AS value FROM run_tags WHERE key = $1
  UNION ALL
  SELECT (SELECT min(value) FROM run_tags WHERE key = $1 AND value > found.value)
  FROM found WHERE found.value IS NOT NULL
) SELECT value FROM found"""
_STATUS = "SELECT status FROM runs WHERE run_id = $1"
_ENDS_OF: dict[str, RunEnd] = {
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "CANCELED": "canceled",
}
_FINISHED = ["SUCCESS", "FAILURE", "CANCELED"]
_AT = "SELECT id, timestamp FROM event_logs WHERE id >= $1 ORDER BY id LIMIT 1"
_ENDS = "SELECT coalesce(min(id), 1) AS first, coalesce(max(id), 0) AS last FROM event_logs"


class PostgresLiveEvents:
    """Follows runs over one connection, however many follow; use it in one event loop.

    Args:
        url: The database.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._alone = asyncio.Lock()
        self._connection: Any = None
        self._told: set[asyncio.Event] = set()
        self._ears: list[tuple[str | None, Callable[[ModelSaid], None]]] = []

    async def follow(
        self,
        *,
        run_id: str | None = None,
        agent: str | None = None,
        after: EventId | None = None,
        said: Callable[[ModelSaid], None] | None = None,
    ) -> AsyncGenerator[LiveEvent]:
        """Gives events as they are committed, as `LiveEvents.follow` says."""
        news = asyncio.Event()
        self._told.add(news)
        ear = (run_id, said or _nothing)
        self._ears.append(ear)
        try:
            cursor = int(after or 0) if after is not None or run_id else await self._newest()
            quiet = True
            while True:
                news.clear()
                # Beside its events: a run may have been deleted, with all that was told of it.
                over = quiet and run_id is not None and await self._over(run_id)
                rows, newest = await self._read(cursor, run_id, agent)
                for row in rows:
                    event = read_event(row["id"], row["type"], row["event"], row["agent"])
                    if event is None:
                        continue
                    yield event
                    if run_id is not None and isinstance(event, RunChanged) and event.end:
                        return
                cursor = rows[-1]["id"] if len(rows) == _MOST else newest
                if over and len(rows) < _MOST:
                    return
                quiet = len(rows) < _MOST and not await _in_time(news)
        finally:
            self._told.discard(news)
            self._ears.remove(ear)

    async def place_at(self, at: float) -> EventId:
        """The place of the last event before a moment (Unix seconds).

        Ids and times go up together, so that few of them have to be looked at.
        """
        ((low, high),) = await self._fetch(_ENDS)
        while low <= high:
            middle = (low + high) // 2
            rows = await self._fetch(_AT, middle)
            if rows and _unix(rows[0]["timestamp"]) < at - _CLOCK_SECONDS:
                low = rows[0]["id"] + 1
            else:
                high = middle - 1
        return EventId(low - 1)

    async def has_tables(self) -> bool:
        """Whether Dagster has ever been at work on this database."""
        ((found,),) = await self._fetch("SELECT to_regclass('event_logs') IS NOT NULL")
        return bool(found)

    async def has_run(self, run_id: str) -> bool:
        """Whether there is such a run."""
        return bool(await self._fetch("SELECT 1 FROM runs WHERE run_id = $1", run_id))

    async def end_of(self, run_id: str) -> RunEnd | None:
        """How a run has ended; None where it has not, or is not there."""
        rows = await self._fetch(_STATUS, run_id)
        return _ENDS_OF.get(rows[0]["status"]) if rows else None

    async def agents(self) -> set[str]:
        """The agents that have runs."""
        rows = await self._fetch(_AGENTS, AGENT_TAG)
        return {row["value"] for row in rows if row["value"] is not None}

    async def close(self) -> None:
        """Gives the connection back."""
        self._forget()

    async def _newest(self) -> int:
        ((_, last),) = await self._fetch(_ENDS)
        return int(last)

    async def _over(self, run_id: str) -> bool:
        """Whether the run has ended, or is not there: then no event is to come."""
        return not await self._fetch(_OVER, run_id, _FINISHED)

    async def _read(
        self, cursor: int, run_id: str | None, agent: str | None
    ) -> tuple[Sequence[asyncpg.Record], int]:
        """Events beyond the cursor, and the newest id at that moment."""
        given = (cursor, list(TOLD), _MOST, AGENT_TAG)
        if run_id is not None:
            rows = await self._fetch(_OF_RUN, *given, run_id)
        elif agent is not None:
            rows = await self._fetch(_OF_AGENT, *given, agent)
        else:
            rows = await self._fetch(_OF_ALL, *given)
        return [row for row in rows if row["id"] is not None], int(rows[0]["newest"])

    async def _fetch(self, query: str, *values: object) -> Sequence[asyncpg.Record]:
        """Asks the database, as often as it takes for it to be there."""
        import asyncpg

        away = (OSError, EOFError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError)
        away += (asyncpg.OperatorInterventionError, asyncpg.InsufficientResourcesError)
        wait = _FIRST_WAIT
        while True:
            try:
                async with self._alone:
                    connection = await self._connected()
                    return await connection.fetch(query, *values)
            except away:
                self._forget()
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT)

    async def _connected(self) -> Any:
        if self._connection is None:
            opened = cast("Any", await connect(self._url))
            opened.add_termination_listener(self._wake)
            await opened.add_listener(CHANNEL, self._wake)
            await opened.add_listener(SAID, self._hear)
            self._connection = opened
        return self._connection

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _wake(self, *about: object) -> None:
        del about  # the connection, or of which channel it is
        for news in self._told:
            news.set()

    def _hear(self, *about: object) -> None:
        """About: the connection, the process, the channel, and what it was told."""
        said = ModelSaid(**json.loads(str(about[-1])))
        for run_id, tell in self._ears:
            if run_id in {None, said.run_id}:
                tell(said)


def _nothing(_: ModelSaid) -> None:
    """Nobody listens."""


async def _in_time(news: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            await news.wait()
    except TimeoutError:
        return False
    return True


def _unix(at: Any) -> float:
    """Dagster's tables have times without a zone, in UTC."""
    return at.replace(tzinfo=UTC).timestamp()
