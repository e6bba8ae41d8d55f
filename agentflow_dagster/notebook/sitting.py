"""One run of a notebook from papermill's side: the kernel, what is told of it, what it leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentflow_dagster.spec.glued import from_output, without_data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.notebook.kernels import Lease
    from agentflow_dagster.spec.values import JsonObject, Value


@dataclass(slots=True)
class Sitting:
    """What the engine is handed for a run, and what it leaves there.

    Args:
        kernel: Ends with the run.
        name: What the notebook is called.
        save: Keeps the notebook as far as it has come.
        began: Told of each cell that begins: its place among all cells, and how many there are.
        wanted: Variables to take at the end, but for those that were glued.
        left: What was glued or taken, by name.
        cell: The place of the cell at work; None before the first.
        document: The notebook as it was saved last.
    """

    kernel: Lease
    name: str
    save: Callable[[object], None]
    began: Callable[[int, int], None]
    wanted: tuple[str, ...] = ()
    left: dict[str, Value] = field(default_factory=dict[str, "Value"])
    cell: int | None = None
    document: object = None

    def take(self, told: Mapping[str, object]) -> JsonObject:
        """Takes what was glued; what the notebook keeps of it."""
        name, value = from_output(told)
        self.left[name] = value
        return without_data(told)
