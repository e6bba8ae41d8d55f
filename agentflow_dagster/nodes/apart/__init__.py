"""Work that is done apart from this process: each file goes to the code runner as it stands.

What is evaluated there (a template, a query, a search pattern) is its author's and what it is
evaluated on may be anyone's, so its time and memory are bounded as those of an author's code are.
A file defines `work`, imports nothing of AgentFlow but `spec.values`, and gives `{"result": …}`, or
`{"failure": …}` where the author is to mend something.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.code import CodeRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.kind import NodeContext
    from agentflow_dagster.spec.values import Value

Work: TypeAlias = Literal["finding", "judging", "querying", "rendering"]


async def done_apart(
    context: NodeContext,
    work: Work,
    given: Mapping[str, Value],
    *,
    memory_bytes: int = 1024**3,
    hint: str = "",
) -> Value:
    """What a piece of work gives.

    Args:
        context: Whose attempt it is: its time limit holds.
        work: Which file.
        given: The arguments of `work`; tables arrive as DataFrames.
        memory_bytes: Most memory beyond the bare interpreter.
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
            memory_bytes=memory_bytes,
        )
    )
    told = cast("dict[str, Value]", done.outputs["done"])
    if "failure" in told:
        raise RunError(str(told["failure"]), hint=hint, retryable=False)
    return told["result"]
