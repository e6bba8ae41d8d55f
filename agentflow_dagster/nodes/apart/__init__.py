"""Work that is done apart from this process: each file goes to the code runner as it stands.

What is evaluated there (a template, a query, a search pattern) is its author's and what it is
evaluated on may be anyone's, so its time and memory are bounded as those of an author's code are.
A file defines `work`, imports nothing of AgentFlow but `spec.values`, and gives `{"result": …}`, or
`{"failure": …}` where the author is to mend something.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, cast

from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.code import CodeRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.code import CodeRunner
    from agentflow_dagster.spec.values import Value

USUAL_MEMORY = 1024**3
"""Bytes beyond the bare interpreter, where the node's `resources` say nothing."""
Work: TypeAlias = Literal["finding", "judging", "querying", "rendering"]


class Bounds(Protocol):
    """Whose work it is, where it is done and within which limits, as a node's context says it."""

    @property
    def node(self) -> str: ...
    @property
    def code(self) -> CodeRunner: ...
    @property
    def timeout(self) -> float: ...
    @property
    def memory_bytes(self) -> int | None: ...


async def done_apart(
    context: Bounds,
    work: Work,
    given: Mapping[str, Value],
    *,
    hint: str = "",
) -> Value:
    """What a piece of work gives.

    Args:
        context: Whose attempt it is: its limits of time and memory hold.
        work: Which file.
        given: The arguments of `work`; tables arrive as DataFrames.
        hint: What to do where it failed.

    Raises:
        RunError: the work could not be done on these values.
        CodeError: it went past its time or memory.
    """
    source = files(__name__).joinpath(f"{work}.py").read_text(encoding="utf-8")
    done = await context.code.run(
        CodeRequest(
            source=f"{source}\n\ndone = work(**given)\n",
            inputs={"given": dict(given)},
            outputs=("done",),
            filename=f"<node {context.node}>",
            timeout=context.timeout,
            memory_bytes=context.memory_bytes or USUAL_MEMORY,
        )
    )
    told = cast("dict[str, Value]", done.outputs["done"])
    if "failure" in told:
        raise RunError(str(told["failure"]), hint=hint, retryable=False)
    return told["result"]
