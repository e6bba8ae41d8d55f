"""Waiting in the process of a run: for runs that the engine does not carry out."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agentflow_dagster.errors import RunError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.ports.waits import Answer, Asked, Wait

_LOOK_SECONDS = 0.5


class HeldStore(Protocol):
    """Keeps what a process waits for itself."""

    def hold(self, run_id: str, agent: str, path: str, asked: Asked) -> Wait:
        """Asks; asked again, it is the same wait."""
        ...

    def look(self, wait_id: int) -> Wait:
        """The wait as it is now."""
        ...

    def take(self, wait_ids: Sequence[int]) -> None:
        """Their runs have gone on with the answers."""
        ...


@dataclass(frozen=True, slots=True)
class HeldWaits:
    """Waits with the run's process kept, looking every half second.

    Args:
        store: Where it is asked and answered.
        run_id, agent: Whose steps.
    """

    store: HeldStore
    run_id: str
    agent: str

    async def ask(self, path: str, asked: Asked) -> None:
        """Asks; returns once that is committed."""
        await asyncio.to_thread(self.store.hold, self.run_id, self.agent, path, asked)

    async def answer(self, path: str, asked: Asked) -> Answer:
        """The answer, once it is there."""
        store = self.store
        wait = await asyncio.to_thread(store.hold, self.run_id, self.agent, path, asked)
        while wait.answer is None:
            if wait.state == "closed":
                raise RunError(f"What {path!r} asks is not waited for any more.", retryable=False)
            await asyncio.sleep(_LOOK_SECONDS)
            with suppress(StoreError):  # A database that is away is waited for.
                wait = await asyncio.to_thread(store.look, wait.id)
        await asyncio.to_thread(store.take, [wait.id])
        return wait.answer
