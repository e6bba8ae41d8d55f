"""Runs whole notebooks with parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from agentflow_dagster.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.spec.values import JsonValue, Value


@dataclass(frozen=True, slots=True)
class NotebookRequest:
    """One run of a notebook.

    Args:
        notebook: Its path below the project's folder of notebooks.
        name: Of what is kept of it as it fills, a path: the run's id and the step's attempt.
        parameters: What its cell tagged `parameters` is overridden with.
        offered: The same, for those of its parameters that bear these names and are not given.
        outputs: Names that it must glue or leave defined; where there are none, all that it glues.
        kernel: The kernel's name.
        timeout: Seconds.
        memory_bytes: Most memory that its kernel may take.
        redacted: Takes secrets out of a text that is kept.
        shown: Takes out what the project's rules name, too, of the file that people look at.
        tell: Is told how far it is, a line at a time.
    """

    notebook: str
    name: str = "notebook"
    parameters: Mapping[str, JsonValue] = field(default_factory=dict[str, "JsonValue"])
    offered: Mapping[str, JsonValue] = field(default_factory=dict[str, "JsonValue"])
    outputs: tuple[str, ...] = ()
    kernel: str = "python3"
    timeout: float = 300.0
    memory_bytes: int = 2 * 1024**3
    redacted: Callable[[str], str] = str
    shown: Callable[[str], str] = str
    tell: Callable[[str], object] = str


@dataclass(frozen=True, slots=True)
class NotebookResult:
    """What it left: a value for each name, the notebook as it was executed, and where that is."""

    outputs: Mapping[str, Value]
    executed: bytes
    path: str = ""


class Notebooks(Protocol):
    """Runs notebooks, each in a kernel of its own."""

    async def run(self, request: NotebookRequest) -> NotebookResult:
        """Runs one from its first cell to its last; cancelling the awaiting task ends its kernel.

        Raises:
            NotebookFailed: a cell raised (it names the cell), a name was left undefined or has no
                stored form, it went past its time or memory, or its kernel died.
            RunError: there is no such notebook, or it takes no such parameters.
        """
        ...


class NoNotebooks:
    """There is no folder of notebooks."""

    async def run(self, request: NotebookRequest) -> NotebookResult:
        raise RunError(f"No notebook {request.notebook!r} can be run here.", retryable=False)
