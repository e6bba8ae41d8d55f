"""What the steps of one run wait for, while the engine has the run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

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
    """

    def __init__(self, run_id: str, agent: str, writer: Writer, past: Sequence[Wait] = ()) -> None:
        self._run_id = run_id
        self._agent = agent
        self._writer = writer
        self._asked = {(wait.path, wait.digest): wait for wait in past}
        self._taken: set[int] = set()
        self._waiting: dict[tuple[str, str], tuple[Asked, asyncio.Future[Answer]]] = {}

    async def answer(self, path: str, asked: Asked) -> Answer:
        """The answer, once it is there."""
        key = path, digest(asked)
        wait = self._asked.get(key)
        if wait is not None and wait.answer is not None:
            self._take(wait.id)
            return wait.answer
        if wait is None or wait.state == "closed":
            row = WaitRow(self._run_id, self._agent, path, asked)
            self._writer.group.waits.asked.append(row)
            self._writer.wake()
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[key] = asked, future
        try:
            return await future
        finally:
            del self._waiting[key]

    def deliver(self, answered: Answered) -> bool:
        """Hands an answer on; False where nobody waits for it here."""
        if answered.id in self._taken:
            return True
        found = self._waiting.get((answered.path, answered.digest))
        if found is None or found[1].done():
            return False
        found[1].set_result(answered.answer)
        self._take(answered.id)
        return True

    @property
    def idle(self) -> bool:
        """Whether something is waited for, and nothing has come that is not handed on."""
        return bool(self._waiting) and not any(came.done() for _, came in self._waiting.values())

    def told(self) -> str:
        """What is waited for, to be read by people."""
        waiting = {path: asked for (path, _), (asked, _) in self._waiting.items()}
        return "; ".join(_told(path, waiting[path]) for path in sorted(waiting))

    def _take(self, wait_id: int) -> None:
        if wait_id not in self._taken:
            self._taken.add(wait_id)
            self._writer.group.waits.answered.append((self._run_id, wait_id))
            self._writer.wake()


def _told(path: str, asked: Asked) -> str:
    match asked.kind:
        case "timer":
            when = asked.subject.get("for") or asked.subject.get("until")
            return f"{path!r} goes on {'at' if 'until' in asked.subject else 'after'} {when}"
        case "callback":
            return f"{path!r} waits for its URL to be called"
        case _:
            whom = ", ".join(asked.people) or "anyone"
            done = "approval" if asked.kind == "approval" else "an answer"
            return f"{path!r} waits for {done} by {whom}: {asked.subject['ask']}"
