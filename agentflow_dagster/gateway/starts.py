"""Starts the runs of accepted events in the background, a few at a time, each agent in its turn.

Nothing depends on it: an event that does not get its turn, or whose start fails, stays in the
inbox, where the agent's sensor finds it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
import uuid
from typing import TYPE_CHECKING

from agentflow_dagster.errors import AgentFlowError
from agentflow_dagster.gateway.turns import Turns
from agentflow_dagster.ports.starter import NotStarted
from agentflow_dagster.ports.stores import CLAIM_SECONDS

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from agentflow_dagster.ports.starter import Starter
    from agentflow_dagster.ports.stores import Inbox, InboxEvent

_log = logging.getLogger(__name__)
_MARGIN_SECONDS = 5.0
"""A claim that has less time left is made again before the start."""


class Starts:
    """Starts under way, and those that wait for their turn.

    Args:
        starter: Starts one; None leaves all to their sensors.
        inbox: Where events are claimed.
        at_once: Most starts at a time.
        waiting: Most events that wait; one more is left to the sensor.
        end_seconds: How long starts that are under way are waited for at the end.
    """

    def __init__(
        self,
        starter: Starter | None,
        inbox: Inbox,
        *,
        at_once: int = 32,
        waiting: int = 10_000,
        end_seconds: float = 5.0,
    ) -> None:
        self._starter = starter
        self._inbox = inbox
        self._turns = Turns()
        self._at_once = at_once
        self._most = waiting
        self._end_seconds = end_seconds
        self._ending = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: dict[int, float] = {}
        self._by = f"front door {socket.gethostname()[:100]} {os.getpid()} {uuid.uuid4()}"

    @property
    def claims(self) -> str | None:
        """By which name events are to be claimed as they are accepted; None for none, as they are
        their sensors' to start."""
        return None if self._starter is None or len(self._turns) >= self._most else self._by

    def soon(
        self, event: InboxEvent, *, priority: int = 0, claimed_at: float | None = None
    ) -> None:
        """Has an event started as soon as it gets its turn; does not wait for it, nor raise.

        Args:
            event: Which.
            priority: Those of a higher one go first.
            claimed_at: When it was claimed (monotonic seconds), where it was, as `claims` has it.
        """
        if self._starter is None:
            return
        if claimed_at is not None:
            self._held[event.id] = claimed_at + CLAIM_SECONDS - _MARGIN_SECONDS
        if len(self._tasks) < self._at_once:
            task = asyncio.create_task(self._work(self._starter, event))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif len(self._turns) < self._most:
            self._turns.add(event, priority=priority)
        else:
            self._held.pop(event.id, None)
            _log.info("Event %d is left to its sensor: too many wait.", event.id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leaves those that wait to their sensors, and waits for those under way."""
        self._ending = True
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=self._end_seconds)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        if self._starter is not None:
            self._starter.close()

    async def _work(self, starter: Starter, event: InboxEvent | None) -> None:
        """Starts one, and then those that wait."""
        while event is not None and not self._ending:
            await self._start(starter, event)
            event = self._turns.take()

    async def _start(self, starter: Starter, event: InboxEvent) -> None:
        try:
            held = self._held.pop(event.id, 0) > time.monotonic()
            if not held and not await asyncio.to_thread(self._inbox.claim, event.id, self._by):
                return  # The sensor was faster.
            try:
                await starter.start(event)
            except NotStarted as said:
                _log.info("Event %d is left to its sensor: %s", event.id, said)
                await asyncio.to_thread(self._inbox.release, event.id, self._by)
        except AgentFlowError as problem:
            _log.warning("The start of event %d failed: %s", event.id, problem)
        except Exception:  # noqa: BLE001 - a start that goes wrong must not end the front door
            _log.exception("The start of event %d failed.", event.id)
