"""Commits what many runs change in groups: one transaction for all that came while the one before
was under way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from agentflow_dagster.orchestration.engine_lane.place import LostPlaceError
from agentflow_dagster.orchestration.engine_lane.rows import Group, Made
from agentflow_dagster.orchestration.engine_lane.storing import is_stored, number_events, store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agentflow_dagster.stores.connection import Connection

_AWAY = (OSError, TimeoutError, EOFError)
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 2.0
_SOON_SECONDS = 0.01
_MOST_EVENTS = 5_000
"""In one transaction: whoever waits for the first of a burst is not to wait for the last."""

_TURNS = 250
"""To begin a run, in one round of the event loop."""


class Writer:
    """The one way by which runs of this process reach the database.

    A group waits for a database that is away. One that it refuses is committed run by run,
    so that what is wrong with one run is told to that run alone.

    Args:
        connect: Opens a connection.
    """

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._wake = asyncio.Event()
        self._later: asyncio.TimerHandle | None = None
        self._turns = 0
        self._in_line: deque[asyncio.Future[None]] = deque()
        self.group = Group()
        """What is changed goes here; `committed` waits until it is safe."""

    async def committed(self, run_id: str) -> None:
        """Waits until all that was changed so far is committed.

        Raises:
            Exception: what was changed of this run cannot be committed; nothing of it was.
        """
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.group.waiting.setdefault(run_id, []).append(told)
        self._wake.set()
        await told

    async def turn(self) -> None:
        """Waits for a turn to begin a run. So many have it in one round of the event loop: what the
        first of a burst change is being committed while the others get ready."""
        loop = asyncio.get_running_loop()
        if self._turns < _TURNS and not self._in_line:
            if not self._turns:
                loop.call_soon(self._next_round)
            self._turns += 1
            return
        told: asyncio.Future[None] = loop.create_future()
        self._in_line.append(told)
        await told

    def _next_round(self) -> None:
        self._turns = 0
        while self._in_line and self._turns < _TURNS:
            told = self._in_line.popleft()
            if not told.done():
                told.set_result(None)
                self._turns += 1
        if self._turns:
            asyncio.get_running_loop().call_soon(self._next_round)

    def wake(self) -> None:
        """Has what was changed so far committed soon; does not wait. Nobody does: so it may go
        with what somebody waits for in the meantime."""
        if self._later is None and not self._wake.is_set():
            self._later = asyncio.get_running_loop().call_later(_SOON_SECONDS, self._wake.set)

    async def run(self) -> None:
        """Commits groups for ever; cancel it to stop.

        Raises:
            LostPlaceError: another process is the engine now.
        """
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                if self._later is not None:
                    self._later.cancel()
                    self._later = None
                group, self.group = self.group, Group()
                for part in group.slices(_MOST_EVENTS):
                    await self._commit(part)
        finally:
            await self._forget()

    async def _commit(self, group: Group) -> None:
        try:
            await self._commit_when_there(group)
        except LostPlaceError:
            raise
        except Exception as problem:  # noqa: BLE001 - whoever waits is told
            runs = group.by_run()
            if len(runs) > 1:
                for one in runs:
                    await self._commit(one)
                return
            for told in group.told():
                told.set_exception(problem)
        else:
            for event in group.events:
                if isinstance(event, Made):
                    event.keep_little()
            for told in group.told():
                told.set_result(None)

    async def _commit_when_there(self, group: Group) -> None:
        """Commits a group, as often as it takes for the database to be there."""
        wait = _FIRST_WAIT
        tried = False
        while True:
            try:
                connection = await self._connected()
                if tried and await is_stored(connection, group):
                    return
                async with connection.transaction():
                    await number_events(connection, group.events)
                    tried = True
                    await store(connection, group)
            except Exception as problem:
                if not _is_away(problem):
                    raise  # The connection lives, and with it the engine's place.
                await self._forget()
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT)
            else:
                return

    async def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = await self._connect()
        return self._connection

    async def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


def _is_away(problem: Exception) -> bool:
    """Whether the database, rather than what was to be stored, is what failed."""
    import asyncpg

    lost: tuple[type[Exception], ...] = (
        *_AWAY,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,  # Where it is ended between two statements.
        asyncpg.PostgresConnectionError,
        asyncpg.OperatorInterventionError,
        asyncpg.InsufficientResourcesError,
        asyncpg.DeadlockDetectedError,
    )
    return isinstance(problem, lost)
