"""What the steps of one run wait for, while the engine has the run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agentflow_dagster.engine.redaction_rules import NO_RULES, Rules
from agentflow_dagster.orchestration.shown import told_wait
from agentflow_dagster.stores.wait_rows import WaitRow
from agentflow_dagster.stores.waits import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.orchestration.engine_lane.writer import Writer
    from agentflow_dagster.ports.waits import Answer, Asked, Wait
    from agentflow_dagster.stores.wait_rows import Answered


class RunWaits:
    """Asks, and hands on what comes.

    Args:
        run_id, agent: Whose.
        writer: Commits what is asked.
        past: What the run has asked for before.
        rules: By which what it asks is logged.
    """

    def __init__(
        self,
        run_id: str,
        agent: str,
        writer: Writer,
        past: Sequence[Wait] = (),
        *,
        rules: Rules = NO_RULES,
    ) -> None:
        self._rules = rules
        self._run_id = run_id
        self._agent = agent
        self._writer = writer
        self._asked = {(wait.path, wait.digest): wait for wait in past}
        self._asked_here: set[tuple[str, str]] = set()
        self._taken: set[int] = set()
        self._closed = False
        self._came: dict[tuple[str, str], asyncio.Future[Answer]] = {}
        self._waiting: dict[tuple[str, str], Asked] = {}

    async def ask(self, path: str, asked: Asked) -> None:
        """Asks; returns once that is committed."""
        key = path, digest(asked)
        if self._add(key, asked):
            await self._writer.committed(self._run_id)

    async def answer(self, path: str, asked: Asked) -> Answer:
        """The answer, once it is there."""
        key = path, digest(asked)
        wait = self._asked.get(key)
        if wait is not None and wait.state != "closed" and wait.answer is not None:
            self._take(wait.id)
            return wait.answer
        if self._add(key, asked):
            self._writer.wake()
        self._waiting[key] = asked
        try:
            return await self._coming(key)
        finally:
            del self._waiting[key]

    def _add(self, key: tuple[str, str], asked: Asked) -> bool:
        """Adds to the next group what is asked, unless it has been; whether it has not."""
        wait = self._asked.get(key)
        if key in self._asked_here or (wait is not None and wait.state != "closed"):
            return False
        self._asked_here.add(key)
        row = WaitRow(self._run_id, self._agent, key[0], asked)
        self._writer.group.waits.asked.append(row)
        return True

    def deliver(self, answered: Answered) -> bool:
        """Hands an answer on; False where nobody waits for it here."""
        if answered.id in self._taken:
            return True
        key = answered.path, answered.digest
        known = key in self._asked or key in self._asked_here
        if self._closed or not known or self._coming(key).done():
            return False
        self._coming(key).set_result(answered.answer)
        self._take(answered.id)
        return True

    def close(self) -> str:
        """The run is put away: what comes from now on is not for here. What is waited for, to be
        read by people."""
        self._closed = True
        # Nothing is at work: whoever asked for what is not waited for now has ended otherwise.
        open_ = {key for key, wait in self._asked.items() if wait.state in {"open", "answered"}}
        for path, asked_for in sorted((open_ | self._asked_here) - self._waiting.keys()):
            self._writer.group.waits.stale.append((self._run_id, path, asked_for))
        waiting = {path: asked for (path, _), asked in self._waiting.items()}
        return "; ".join(told_wait(path, waiting[path], self._rules) for path in sorted(waiting))

    @property
    def idle(self) -> bool:
        """Whether something is waited for, and nothing has come that is not handed on."""
        return bool(self._waiting) and not any(self._came[key].done() for key in self._waiting)

    def _coming(self, key: tuple[str, str]) -> asyncio.Future[Answer]:
        """What has come, or will; anew where whoever waited for it is gone."""
        came = self._came.get(key)
        if came is None or came.cancelled():
            came = self._came[key] = asyncio.get_running_loop().create_future()
        return came

    def _take(self, wait_id: int) -> None:
        if wait_id not in self._taken:
            self._taken.add(wait_id)
            self._writer.group.waits.answered.append((self._run_id, wait_id))
            self._writer.wake()
