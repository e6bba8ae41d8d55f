"""Calls are accepted in groups: those that come while a group is being stored are the next one."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from fastapi import HTTPException

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from agentflow_dagster.ports.stores import Inbox, InboxEvent, NewEvent


MOST_AT_ONCE = 200
"""Events of a group: what they have in common is paid once, and the first wait for the last."""
MOST_WAITING = 2_000


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that is stored.

    Args:
        event: It.
        new: False where its key was seen before, and this is the earlier event.
        claimed_at: When it was claimed (monotonic seconds), where it was.
    """

    event: InboxEvent
    new: bool
    claimed_at: float | None


_Waiting: TypeAlias = "tuple[NewEvent, asyncio.Future[Accepted]]"


class Acceptance:
    """Stores events; one is accepted once `accept` has returned.

    Args:
        inbox: Where.
        claimed_by: Tells who claims those that are new; None leaves them to their sensors.
    """

    def __init__(self, inbox: Inbox, claimed_by: Callable[[], str | None]) -> None:
        self._inbox = inbox
        self._claimed_by = claimed_by
        self._waiting: list[_Waiting] = []
        self._come = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._storing = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._storing.cancel()
        await asyncio.gather(self._storing, return_exceptions=True)

    async def accept(self, event: NewEvent) -> Accepted:
        """Has an event stored with those that come at this moment.

        Raises:
            HTTPException: too many wait to be stored (503).
            StoreError: it cannot be stored.
        """
        if len(self._waiting) >= MOST_WAITING:
            told = "Too many calls come at this moment; try again."
            raise HTTPException(503, told, headers={"Retry-After": "1"})
        stored: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, stored))
        self._come.set()
        # Whoever called may be gone by then; the group is stored all the same.
        return await asyncio.shield(stored)

    async def _run(self) -> None:
        while True:
            await self._come.wait()
            group, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            if not self._waiting:
                self._come.clear()
            await self._store(group)

    async def _store(self, group: Sequence[_Waiting]) -> None:
        """Stores a group, all or none. No event is refused for what it holds."""
        events = [event for event, _ in group]
        by = self._claimed_by()
        at = time.monotonic()
        try:
            all_stored = await asyncio.to_thread(self._inbox.add_all, events, claimed_by=by)
        except Exception as problem:  # noqa: BLE001 - whoever waits is told, and the next group comes
            for _, stored in group:
                stored.set_exception(problem)
            return
        for (_, stored), (event, new) in zip(group, all_stored, strict=True):
            stored.set_result(Accepted(event, new=new, claimed_at=at if by and new else None))
