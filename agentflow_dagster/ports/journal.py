"""What a run has finished so far, below its steps: the steps in bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.stores import StepOutput


class Journal(Protocol):
    """Keeps the outputs of one run's sub-steps by their path, such as `each[3].draft`."""

    async def get(self, path: str) -> StepOutput | None:
        """What a sub-step left in this run, in an earlier attempt maybe."""
        ...

    async def prepare(self, path: str, output: StepOutput) -> None:
        """Does what may fail of keeping an output, before anybody is told that its step has ended.

        Raises:
            StoreError: it cannot be kept: the disk is full, maybe.
        """
        ...

    async def put(self, path: str, output: StepOutput) -> None:
        """Keeps an output; it is safe once this returns."""
        ...


class MemoryJournal:
    """Keeps them as long as the process runs: for tests of documents, and nodes in a notebook.

    Args:
        kept: What has been left already, by path.
    """

    def __init__(self, kept: Mapping[str, StepOutput] | None = None) -> None:
        self._kept: dict[str, StepOutput] = dict(kept or {})

    async def get(self, path: str) -> StepOutput | None:
        return self._kept.get(path)

    async def prepare(self, path: str, output: StepOutput) -> None:
        """A dict takes everything."""

    async def put(self, path: str, output: StepOutput) -> None:
        self._kept[path] = output
