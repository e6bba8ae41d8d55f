"""Looks for answers that have come, and for times that have run out, and has runs go on."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from agentflow_dagster.stores import wait_rows
from agentflow_dagster.stores.waits import CHANNEL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agentflow_dagster.stores.connection import Connection
    from agentflow_dagster.stores.wait_rows import Answered

_log = logging.getLogger(__name__)
_LONGEST_SECONDS = 5.0
"""Between two looks, should nobody tell that there is something."""
_SOON_SECONDS = 0.05
"""Until the next look for what a run could not yet be told."""
_TIDY_SECONDS = 10.0
"""Between two looks for what is asked for runs that others have ended."""
_CLOSE_ENDED = """
UPDATE agentflow.waits SET state = 'closed' FROM runs
WHERE waits.state IN ('open', 'answered') AND runs.run_id = waits.run_id
  AND runs.status IN ('SUCCESS', 'FAILURE', 'CANCELED')"""
_TROUBLED_SECONDS = 1.0
"""Until the next look for a run that could not be read back."""
_AT_ONCE = 64
"""Runs that are read back at a time."""


class Answers:
    """Has the engine told of answers.

    Args:
        connect: Opens a connection, for this alone.
        deliver: Hands an answer to its run; False where that cannot be done yet.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        deliver: Callable[[Answered], Awaitable[bool]],
    ) -> None:
        self._connect = connect
        self._deliver = deliver
        self._told = asyncio.Event()
        self._tidy_at = 0.0

    async def run(self) -> None:
        """Looks for ever; cancel it to stop. A database that is away is waited for."""
        connection: Connection | None = None
        try:
            while True:
                try:
                    if connection is None or connection.is_closed():
                        connection = await self._connect()
                        await connection.add_listener(CHANNEL, lambda *_: self._told.set())
                    pause = await self._look(connection)
                except Exception:  # noqa: BLE001 - it looks again, whatever it was
                    _log.warning("Answers cannot be looked for.", exc_info=True)
                    if connection is not None:
                        connection.terminate()
                    connection, pause = None, 1.0
                await self._wait(pause)
        finally:
            if connection is not None:
                connection.terminate()

    async def _look(self, connection: Connection) -> float:
        """Hands on what there is; seconds until the next look."""
        self._told.clear()
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + _TIDY_SECONDS
            await connection.execute(_CLOSE_ENDED)
        more = await wait_rows.expire(connection)
        free = asyncio.Semaphore(_AT_ONCE)

        troubled = False

        async def one(answered: Answered) -> bool:
            nonlocal troubled
            try:
                async with free:
                    return await self._deliver(answered)
            except Exception:  # noqa: BLE001 - the others go on
                _log.warning("Run %s cannot go on now.", answered.run_id, exc_info=True)
                troubled = True
                return True

        found = await wait_rows.answered(connection)
        done = await asyncio.gather(*(one(answered) for answered in found))
        if troubled:
            return _TROUBLED_SECONDS
        if more or len(found) == wait_rows.MOST or not all(done):
            return _SOON_SECONDS
        next_ = await wait_rows.seconds_to_next(connection)
        return _LONGEST_SECONDS if next_ is None else min(max(0.0, next_), _LONGEST_SECONDS)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._told.wait()
        except TimeoutError:
            pass
