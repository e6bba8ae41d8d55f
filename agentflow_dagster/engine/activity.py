"""How much of a run is at work, while the rest of it waits for answers."""

from __future__ import annotations

import asyncio

_ROUNDS = 50
"""Of the event loop, in which whatever can go on does: between the end of a step and the beginning
of the next there are some ten."""


class Activity:
    """Counts a run's steps that are at work. A step that waits, or whose bodies are at work in its
    stead, is none."""

    def __init__(self) -> None:
        self._at_work = 0
        self._changes = 0
        self._quiet = asyncio.Event()

    @property
    def at_rest(self) -> bool:
        """Whether no step is at work."""
        return not self._at_work

    def enter(self) -> None:
        """A step is at work."""
        self._at_work += 1
        self._changes += 1
        self._quiet.clear()

    def leave(self) -> None:
        """It is no more: it has ended, or waits."""
        self._at_work -= 1
        self._changes += 1
        if not self._at_work:
            self._quiet.set()

    async def rest(self) -> None:
        """Returns once no step is at work, and none can begin by itself."""
        while True:
            await self._quiet.wait()
            before = self._changes
            for _ in range(_ROUNDS):
                await asyncio.sleep(0)
            if self._changes == before and not self._at_work:
                return
