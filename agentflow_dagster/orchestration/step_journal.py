"""The steps in bodies, kept beside the run's own steps."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.stores import StepOutput, StepStore


class StepJournal:
    """Keeps sub-steps in the step store, under the run and their path.

    Args:
        steps: The store.
        key: The id under which the run's values are stored.
        finished: What the run has stored so far.
    """

    def __init__(self, steps: StepStore, key: str, finished: Mapping[str, StepOutput]) -> None:
        self._steps = steps
        self._key = key
        self._finished = finished

    async def get(self, path: str) -> StepOutput | None:
        return self._finished.get(path)

    async def prepare(self, path: str, output: StepOutput) -> None:
        """Nobody is told of the end of a sub-step before it is kept."""

    async def put(self, path: str, output: StepOutput) -> None:
        await asyncio.to_thread(self._steps.put, self._key, path, output)
