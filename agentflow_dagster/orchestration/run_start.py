"""What Dagster notes of a run until its first step begins, stored at once.

There are six events before the first `STEP_START`: each would have a transaction of its own, and
together they take longer than all else that a run does until then.
"""

from __future__ import annotations

import _thread
import threading
import time
from typing import TYPE_CHECKING

from dagster import DagsterEventType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dagster import EventLogEntry

_LONGEST_SECONDS = 0.25
_BEFORE_STEPS = frozenset(
    {
        DagsterEventType.ENGINE_EVENT,
        DagsterEventType.RUN_START,
        DagsterEventType.RESOURCE_INIT_STARTED,
        DagsterEventType.RESOURCE_INIT_SUCCESS,
        DagsterEventType.LOGS_CAPTURED,
    }
)


class RunStart:
    """Keeps the events of a run's start back for a moment: until anything else is noted of the run,
    which is stored with them, and no longer than 250 ms, since a resource may take its time.

    Args:
        run_id: The run; events of others are not kept back.
        store: Stores events in their order, in one transaction.
    """

    def __init__(self, run_id: str, store: Callable[[Sequence[EventLogEntry]], None]) -> None:
        self._run_id = run_id
        self._store = store
        self._kept: list[EventLogEntry] = []
        self._over = False
        self._lock = threading.Lock()

    def takes(self, event: EventLogEntry) -> bool:
        """Keeps an event back; stores those that are kept with the first step's, or before whatever
        else it is. False where the event itself is left to be stored."""
        if event.run_id != self._run_id:
            return False
        told = event.dagster_event
        kind = told.event_type if told is not None else None
        with self._lock:
            if not self._over and kind in _BEFORE_STEPS:
                self._kept.append(event)
                if len(self._kept) == 1:
                    # One of `threading` would be waited for until it has begun.
                    _thread.start_new_thread(self._flush_late, ())
                return True
            begins = not self._over and kind == DagsterEventType.STEP_START
            if begins:
                self._kept.append(event)
            self._end()
            return begins

    def flush(self) -> None:
        """Stores what is kept back; nothing is from now on."""
        with self._lock:
            self._end()

    def _flush_late(self) -> None:
        time.sleep(_LONGEST_SECONDS)
        self.flush()

    def _end(self) -> None:
        self._over = True
        if self._kept:
            self._store(self._kept)
            self._kept = []
