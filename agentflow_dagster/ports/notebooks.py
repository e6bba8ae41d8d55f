"""Runs whole notebooks with parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from agentflow_dagster.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.values import JsonValue, Value


@dataclass(frozen=True, slots=True)
class NotebookRequest:
    """One run of a notebook.

    Args:
        notebook: Its path below the project's folder of notebooks.
        parameters: What its cell tagged `parameters` is overridden with.
        outputs: Names that it must leave defined.
        timeout: Seconds.
        memory_bytes: Most address space that its kernel may take.
    """

    notebook: str
    parameters: Mapping[str, JsonValue] = field(default_factory=dict[str, "JsonValue"])
    outputs: tuple[str, ...] = ()
    timeout: float = 300.0
    memory_bytes: int = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class NotebookResult:
    """What it left: a value for each name asked for, and the notebook as it was executed."""

    outputs: Mapping[str, Value]
    executed: bytes


class Notebooks(Protocol):
    """Runs notebooks, each in a kernel of its own."""

    async def run(self, request: NotebookRequest) -> NotebookResult:
        """Runs one from its first cell to its last; cancelling the awaiting task ends its kernel.

        Raises:
            RunError: there is no such notebook, a cell raised (it names the cell), a name was left
                undefined or has no stored form, or it went past its time or memory.
        """
        ...


class NoNotebooks:
    """There is no folder of notebooks."""

    async def run(self, request: NotebookRequest) -> NotebookResult:
        raise RunError(f"No notebook {request.notebook!r} can be run here.", retryable=False)
