"""A step's waiting: no secret is in what is asked, and no limit of time runs meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.engine.activity import Activity
    from agentflow_dagster.engine.redaction import Redactor
    from agentflow_dagster.ports.waits import Answer, Asked, Waits
    from agentflow_dagster.spec.values import JsonObject, Value


class ActiveLimit:
    """A limit of the time that a block is at work; time in which it waits does not count.

    Args:
        seconds: How long.
    """

    def __init__(self, seconds: float) -> None:
        self._limit = asyncio.timeout(seconds)
        self._waiting = 0
        self._left = seconds

    async def __aenter__(self) -> ActiveLimit:
        await self._limit.__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> bool | None:
        return await self._limit.__aexit__(*cast("tuple[None, None, None]", raised))

    def expired(self) -> bool:
        """Whether the time ran out."""
        return self._limit.expired()

    def pause(self) -> None:
        """Something in the block waits from now on."""
        self._waiting += 1
        when = self._limit.when()
        if self._waiting == 1 and when is not None and not self._limit.expired():
            self._left = max(0.0, when - asyncio.get_running_loop().time())
            self._limit.reschedule(None)

    def go_on(self) -> None:
        """It waits no more."""
        self._waiting -= 1
        if not self._waiting and self._limit.when() is None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + self._left)


class StepWaits:
    """What one attempt of a step waits for.

    Args:
        waits: The run's.
        path: The step.
        redactor: Takes secrets out of what is asked.
        limits: The limits of the step and of those around it.
        activity: Told that the step is not at work.
    """

    def __init__(
        self,
        waits: Waits,
        path: str,
        redactor: Redactor,
        limits: Sequence[ActiveLimit],
        activity: Activity,
    ) -> None:
        self._waits = waits
        self._path = path
        self._redactor = redactor
        self._limits = limits
        self._activity = activity

    async def ask(self, asked: Asked) -> None:
        """Asks; once this returns an answer can come.

        Raises:
            RunError: nothing can be waited for here.
        """
        await self._waits.ask(self._path, self._fit_to_show(asked))

    async def answer(self, asked: Asked) -> Answer:
        """The answer, once it is there.

        Raises:
            RunError: nothing can be waited for here.
        """
        for limit in self._limits:
            limit.pause()
        self._activity.leave()
        try:
            return await self._waits.answer(self._path, self._fit_to_show(asked))
        finally:
            self._activity.enter()
            for limit in self._limits:
                limit.go_on()

    def _fit_to_show(self, asked: Asked) -> Asked:
        subject = cast("JsonObject", self._redactor.value(cast("Value", asked.subject)))
        return replace(asked, subject=subject)
