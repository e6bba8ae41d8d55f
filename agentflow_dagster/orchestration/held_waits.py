"""Waiting in the process of a run: for runs that the engine does not carry out."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from agentflow_dagster.engine.redaction_rules import NO_RULES, Rules
from agentflow_dagster.errors import RunError, StoreError
from agentflow_dagster.orchestration.shown import told_wait

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

    def hand_over(self, run_id: str, *, held: bool) -> None:
        """A process of the run's looks for its answers from now on, or the engine does."""
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
        rules: By which what they ask is logged.
        waiting: What steps wait for now, and have no answer to.
    """

    store: HeldStore
    run_id: str
    agent: str
    rules: Rules = NO_RULES
    waiting: dict[str, Asked] = field(default_factory=dict[str, "Asked"])

    async def ask(self, path: str, asked: Asked) -> None:
        """Asks; returns once that is committed."""
        await asyncio.to_thread(self.store.hold, self.run_id, self.agent, path, asked)

    async def answer(self, path: str, asked: Asked) -> Answer:
        """The answer, once it is there."""
        self.waiting[path] = asked
        try:
            wait = await self._answered(path, asked)
        finally:
            del self.waiting[path]
        await asyncio.to_thread(self.store.take, [wait.id])
        assert wait.answer is not None
        return wait.answer

    @property
    def idle(self) -> bool:
        """Whether something is waited for."""
        return bool(self.waiting)

    def told(self) -> str:
        """What is waited for, to be read by people."""
        open_ = sorted(self.waiting.items())
        return "; ".join(told_wait(path, asked, self.rules) for path, asked in open_)

    async def _answered(self, path: str, asked: Asked) -> Wait:
        store = self.store
        wait = await asyncio.to_thread(store.hold, self.run_id, self.agent, path, asked)
        while wait.answer is None:
            if wait.state == "closed":
                raise RunError(f"What {path!r} asks is not waited for any more.", retryable=False)
            await asyncio.sleep(_LOOK_SECONDS)
            with suppress(StoreError):  # A database that is away is waited for.
                wait = await asyncio.to_thread(store.look, wait.id)
        return wait
