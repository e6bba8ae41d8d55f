"""How many accepted events wait for their runs, and when that is too many to accept more."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from fastapi import HTTPException

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.stores import Inbox

_log = logging.getLogger(__name__)
VARIABLE = "AGENTFLOW_MOST_PENDING"
"""Most accepted events that may wait for their runs; more calls are answered with 429."""
DEFAULT_MOST = 100_000
_FRESH_SECONDS = 1.0


class Backlog:
    """Counts them once a second at most.

    Args:
        inbox: Where they wait.
        most: How many may.
    """

    def __init__(self, inbox: Inbox, *, most: int = DEFAULT_MOST) -> None:
        self._inbox = inbox
        self._most = most
        self._full = False
        self._counting: asyncio.Task[None] | None = None
        self._counted_at = float("-inf")

    async def require_room(self) -> None:
        """Refuses to accept more than may wait; what was counted a moment ago holds.

        Raises:
            HTTPException: there are so many (429).
        """
        now = time.monotonic()
        if self._counting is None and now - self._counted_at > _FRESH_SECONDS:
            self._counting = asyncio.create_task(self._count())
            self._counting.add_done_callback(self._counted)
        if self._counting is not None and self._counted_at == float("-inf"):
            await asyncio.wait([self._counting])
        if self._full:
            told = "Too many calls wait for their runs; try again."
            raise HTTPException(429, told, headers={"Retry-After": "5"})

    async def _count(self) -> None:
        count = await asyncio.to_thread(self._inbox.count_pending, most=self._most)
        self._full = count >= self._most

    def _counted(self, counting: asyncio.Task[None]) -> None:
        self._counting = None
        self._counted_at = time.monotonic()
        if not counting.cancelled() and (problem := counting.exception()) is not None:
            _log.warning("The events that wait cannot be counted: %s", problem)


def most_pending(variables: Mapping[str, str]) -> int:
    """What the environment says of it."""
    told = variables.get(VARIABLE, "")
    return int(told) if told.isdecimal() and int(told) else DEFAULT_MOST
