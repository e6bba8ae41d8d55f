"""One graph of nodes: an agent's own, or a body inside a node (of a loop, of a branch)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agentflow_dagster.spec.document import Body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.graph.templates import Path
    from agentflow_dagster.spec.document import Agent, Node
    from agentflow_dagster.spec.kind import KindConfig, KindSignature
    from agentflow_dagster.spec.values import JsonObject, JsonValue

_OF_BODIES = frozenset(field.alias or name for name, field in Body.model_fields.items())


@dataclass(frozen=True, slots=True)
class NodeGraph:
    """Nodes that see each other, and what they give together.

    Args:
        agent: The agent that it belongs to.
        nodes: By name.
        outputs: What it gives, by name; texts in it may hold expressions.
        path: Where `nodes` and `outputs` stand in the document.
    """

    agent: Agent
    nodes: Mapping[str, Node]
    outputs: Mapping[str, JsonValue]
    path: Path

    @classmethod
    def of_agent(cls, agent: Agent) -> NodeGraph:
        """The agent's own graph."""
        return cls(agent, agent.spec.nodes, agent.spec.outputs, ("spec",))

    def node_path(self, name: str) -> Path:
        """Where a node stands in the document."""
        return (*self.path, "nodes", name)

    def bodies(self, name: str, kind: KindSignature[KindConfig]) -> dict[str, NodeGraph]:
        """The graphs inside a node whose config fits its kind, by name."""
        node = self.nodes[name]
        found: dict[str, NodeGraph] = {}
        for body, path in kind.bodies(node.with_).items():
            written: JsonValue = dict(node.with_)
            for step in path:
                written = cast("dict[str, JsonValue]", written)[step]
            # Beside its graph a body may say more, such as when it is called.
            written = {k: v for k, v in cast("JsonObject", written).items() if k in _OF_BODIES}
            parsed = Body.model_validate(written, by_alias=True, by_name=False)
            found[body] = NodeGraph(
                self.agent, parsed.nodes, parsed.outputs, (*self.node_path(name), "with", *path)
            )
        return found
