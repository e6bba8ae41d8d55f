"""A step that was under way when its process ended: nobody knows whether it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.engine.step import run_attempt
from agentflow_dagster.errors import RunError, UnknownOutcome
from agentflow_dagster.ports.stores import StepOutput
from agentflow_dagster.ports.waits import Asked

if TYPE_CHECKING:
    from agentflow_dagster.engine.step import Attempt, Services, StepResult
    from agentflow_dagster.graph.plan import Plan, PlanStep

_BEGUN, _OVER = "begun", "over"


async def run_marked_attempt(
    plan: Plan, step: PlanStep, attempt: Attempt, services: Services
) -> StepResult:
    """One attempt, where somebody else decides whether there is another: marked while it is under
    way, as its node's `onUnknown` wants it.

    Raises:
        RunError: it failed, or was under way before and is not to be run again.
    """
    unknown = UnknownEnd(step, attempt)
    try:
        await unknown.before()
        done = await run_attempt(plan, step, attempt, services)
    except RunError:
        await unknown.after()
        raise
    if done.result is None:
        await unknown.after()
    return done


class UnknownEnd:
    """Acts on a node's `onUnknown`, by a mark in the journal for as long as the node is under way.

    Args:
        step: The node.
        begin: The run, and where the node stands.
    """

    def __init__(self, step: PlanStep, begin: Attempt) -> None:
        self._policy = step.on_unknown
        self._path = begin.surroundings.path + step.name
        self._mark = f"{self._path}?"
        self._begin = begin
        self._times = 0

    async def before(self) -> None:
        """Marks that the node is under way, once it may be.

        Raises:
            UnknownOutcome: it was under way before, and is not to be run again.
        """
        if self._policy == "retry":
            return
        journal = self._begin.surroundings.journal
        found = await journal.get(self._mark)
        self._times = int(str(found.value)) if found is not None else 0
        if found is not None and found.port == _BEGUN:
            await self._judge()
        self._times += 1
        await journal.put(self._mark, StepOutput(_BEGUN, self._times))

    async def after(self) -> None:
        """Marks that it has ended, well or not."""
        if self._policy != "retry":
            await self._begin.surroundings.journal.put(self._mark, StepOutput(_OVER, self._times))

    async def _judge(self) -> None:
        if self._policy == "review" and await self._is_to_be_repeated():
            return
        raise UnknownOutcome(
            f"{self._path!r} was under way when its process ended: whether it was done is not "
            "known, and it is not to be repeated.",
            hint="See whether it was done; `onError` can take it on.",
            retryable=False,
        )

    async def _is_to_be_repeated(self) -> bool:
        """Each time that it was under way is a question of its own, which an answer to another
        does not answer."""
        ask = f"{self._path!r} was under way when its process ended. Shall it be run again?"
        self._begin.activity.leave()
        try:
            answer = await self._begin.waits.answer(
                self._path, Asked("approval", {"ask": ask, "times": self._times})
            )
        finally:
            self._begin.activity.enter()
        return isinstance(answer.value, dict) and answer.value.get("approved") is True
