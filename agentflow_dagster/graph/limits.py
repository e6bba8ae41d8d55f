"""How large an agent may be, so that a check of it ends soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.spec.diagnostics import Diagnostic, error, pointer

if TYPE_CHECKING:
    from agentflow_dagster.spec.document import Agent

MAX_NODES = 5_000


def too_many_nodes(agent: Agent) -> Diagnostic | None:
    """AF314: the refusal of an agent with too many nodes; nothing else of it is judged then."""
    count = len(agent.spec.nodes)
    if count <= MAX_NODES:
        return None
    return error(
        "AF314",
        f"The agent has {count:,} nodes; the limit is {MAX_NODES:,}.",
        pointer=pointer("spec", "nodes"),
        hint="Cut it into several agents.",
    )
