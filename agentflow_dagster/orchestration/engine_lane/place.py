"""The place of the engine, which one process has at a time."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from typing import TYPE_CHECKING

from agentflow_dagster.errors import RunError
from agentflow_dagster.stores import engine_runs
from agentflow_dagster.stores.connection import connect

if TYPE_CHECKING:
    from agentflow_dagster.stores.connection import Connection

LEASE_SECONDS = 10.0
_BEATS = 5
"""In a lease."""
_LOOK_SECONDS = 0.2


class LostPlaceError(RunError):
    """Another process was the engine in the meantime: what this one has of its runs is not so."""


class Place:
    """Lets connections be the engine's.

    Args:
        url: The database.
        lease_seconds: How long who has the place may not tell that it lives.
    """

    def __init__(self, url: str, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._url = url
        self._lease = lease_seconds
        self._name = f"{socket.gethostname()[:100]} {os.getpid()} {uuid.uuid4()}"
        self._held = False
        self._ready: Connection | None = None

    async def take(self) -> list[str]:
        """Waits for the place; the runs that whoever had it before has left."""
        self._ready = await self._connected()
        return await engine_runs.owed(self._ready)

    async def connect(self) -> Connection:
        """A connection that has the place, for as long as it lasts.

        Raises:
            LostPlaceError: another had it in the meantime.
        """
        ready, self._ready = self._ready, None
        return ready or await self._connected()

    async def keep(self) -> None:
        """Tells that this process lives, for ever, on a connection of its own; cancel it to stop.

        A database that is away is waited for: nobody else has the place meanwhile.
        """
        connection: Connection | None = None
        try:
            while True:
                try:
                    connection = connection or await connect(self._url)
                    await engine_runs.beat(connection, self._name)
                except Exception:  # noqa: BLE001 - it tells again, whatever it was
                    if connection is not None:
                        connection.terminate()
                    connection = None
                await asyncio.sleep(self._lease / _BEATS)
        finally:
            if connection is not None:
                connection.terminate()

    async def _connected(self) -> Connection:
        connection = await connect(self._url)
        try:
            while not await engine_runs.take_place(connection):
                if self._held and await engine_runs.holder(connection) != self._name:
                    raise LostPlaceError("Another process is the engine now.")
                if not await engine_runs.evict(connection, lease_seconds=self._lease):
                    await asyncio.sleep(_LOOK_SECONDS)
            before = await engine_runs.last_holder(connection, self._name)
            if self._held and before != self._name:
                raise LostPlaceError("Another process has become the engine.")
            self._held = True
        except BaseException:
            connection.terminate()
            raise
        return connection
