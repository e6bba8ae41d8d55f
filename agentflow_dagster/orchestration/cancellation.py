"""Stops a run that another run started, from that run's thread."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from dagster import DagsterExecutionInterruptedError

from agentflow_dagster.models import close_connections

if TYPE_CHECKING:
    from collections.abc import Coroutine

Result = TypeVar("Result")

CURRENT: ContextVar[Cancellation | None] = ContextVar("agentflow_child_run", default=None)
"""Set in the thread of a run that another run started."""


class Cancellation:
    """Ends the step that a child run is at, and every later one at its start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = False
        self._at_work: tuple[asyncio.AbstractEventLoop, asyncio.Task[object]] | None = None

    def cancel(self) -> None:
        """Asks the run to end; returns at once."""
        with self._lock:
            self._asked = True
            if self._at_work is not None:
                loop, task = self._at_work
                loop.call_soon_threadsafe(task.cancel)

    async def guard(self, work: Coroutine[None, None, Result]) -> Result:
        """Does a step's work, unless and until the run is asked to end.

        Raises:
            DagsterExecutionInterruptedError: it was; Dagster calls the run canceled then.
        """
        task = asyncio.current_task()
        assert task is not None
        with self._lock:
            self._at_work = (asyncio.get_running_loop(), task)
            if self._asked:
                work.close()
                raise DagsterExecutionInterruptedError
        try:
            return await work
        except asyncio.CancelledError:
            raise DagsterExecutionInterruptedError from None
        finally:
            with self._lock:
                self._at_work = None


def run_step(work: Coroutine[None, None, Result]) -> Result:
    """Does a step's work in an event loop of its own."""
    cancellation = CURRENT.get()

    async def carry_out() -> Result:
        try:
            return await (work if cancellation is None else cancellation.guard(work))
        finally:
            await close_connections()

    return asyncio.run(carry_out())
