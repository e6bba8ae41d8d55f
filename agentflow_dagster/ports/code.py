"""Runs an author's Python apart from this process. Every sandbox stands behind this port."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.values import Value


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """One piece of code to run.

    Args:
        source: Python statements, run as a module's body.
        setup: Python run before it in the same namespace (imports, functions).
        inputs: Names that the code finds defined; tables arrive as DataFrames.
        outputs: Names that the code must leave defined.
        filename: What tracebacks call it (`<node total>`).
        timeout: Seconds.
        memory_bytes: Most address space that the code may take beyond the bare interpreter.
    """

    source: str
    outputs: tuple[str, ...]
    setup: str = ""
    inputs: Mapping[str, Value] = field(default_factory=dict[str, "Value"])
    filename: str = "<node>"
    timeout: float = 60.0
    memory_bytes: int = 1024**3


@dataclass(frozen=True, slots=True)
class CodeResult:
    """What it left: a value for each name asked for, and what it printed (bounded)."""

    outputs: Mapping[str, Value]
    stdout: str


class CodeRunner(Protocol):
    """Runs code with limits that hold."""

    async def run(self, request: CodeRequest) -> CodeResult:
        """Runs it to the end; cancelling the awaiting task ends the code.

        Raises:
            CodeError: it raised (with the author's traceback), left a name undefined, made a value
                that cannot be stored, or went past its time or memory.
        """
        ...
