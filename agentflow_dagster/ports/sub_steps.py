"""What a node does inside one step, kept as it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agentflow_dagster.spec.values import Value


class SubSteps(Protocol):
    """Does things once in a run, however often their step is attempted."""

    async def once(self, name: str, work: Callable[[], Awaitable[Value]]) -> Value:
        """What the work gives, or gave in an attempt before; it is kept once this returns.

        A process that dies between the work and its being kept leaves it to be done again.

        Args:
            name: Of the work, within the step.
            work: Does it.
        """
        ...
