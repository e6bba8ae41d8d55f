"""How many accepted events wait for their runs, and when that is too many to accept more."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from fastapi import HTTPException

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.stores import Inbox

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
        self._lock = threading.Lock()
        self._counted_at = float("-inf")
        self._full = False

    def require_room(self) -> None:
        """Refuses to accept more than may wait.

        Raises:
            HTTPException: there are so many (429).
        """
        if self._is_full():
            told = "Too many calls wait for their runs; try again."
            raise HTTPException(429, told, headers={"Retry-After": "5"})

    def _is_full(self) -> bool:
        with self._lock:
            if time.monotonic() - self._counted_at > _FRESH_SECONDS:
                self._full = self._inbox.count_pending(most=self._most) >= self._most
                self._counted_at = time.monotonic()
            return self._full


def most_pending(variables: Mapping[str, str]) -> int:
    """What the environment says of it."""
    told = variables.get(VARIABLE, "")
    return int(told) if told.isdecimal() and int(told) else DEFAULT_MOST
