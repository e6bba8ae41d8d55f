"""The sub-steps of one step, in the run's journal under the step's path: `pay:request`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.ports.stores import StepOutput
from agentflow_dagster.spec.values import pack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agentflow_dagster.ports.journal import Journal
    from agentflow_dagster.spec.values import Value


@dataclass(frozen=True, slots=True)
class SubSteps:
    """Keeps what a step does, as `ports.sub_steps` says.

    Args:
        journal: The run's.
        path: The step.
    """

    journal: Journal
    path: str

    async def once(self, name: str, work: Callable[[], Awaitable[Value]]) -> Value:
        """What the work gives, or gave in an attempt before."""
        place = f"{self.path}:{name}"
        found = await self.journal.get(place)
        if found is None:
            found = StepOutput("result", pack(await work()))
            await self.journal.put(place, found)
        return found.value
