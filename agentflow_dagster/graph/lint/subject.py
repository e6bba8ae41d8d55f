"""What the rules look at: an agent without errors, and what its expressions read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from agentflow_dagster.graph import templates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from agentflow_dagster.graph.graph_check import CheckedGraph
    from agentflow_dagster.spec.diagnostics import Diagnostic
    from agentflow_dagster.spec.document import Agent, Node
    from agentflow_dagster.spec.kind import Catalogue, KindConfig, KindSignature

Path: TypeAlias = "tuple[str | int, ...]"
Rule: TypeAlias = "Callable[[Subject], Iterator[Diagnostic]]"


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """One node, of the agent's own graph or of a body inside another node.

    Args:
        name: Its name.
        node: Its part of the document.
        kind: Its kind.
        path: Where it stands in the document.
        graph: The graph that it is of.
    """

    name: str
    node: Node
    kind: KindSignature[KindConfig]
    path: Path
    graph: CheckedGraph


@dataclass(frozen=True, slots=True)
class PlacedRead:
    """One read.

    Args:
        place: The path in the document of the text that it stands in.
        fields: What is read below the name.
        node: The node that reads; None where it is a trigger, or what a graph gives.
    """

    place: Path
    fields: tuple[str, ...]
    node: PlacedNode | None


@dataclass(frozen=True, slots=True)
class Subject:
    """One agent.

    Args:
        agent: Its document, without errors.
        kinds: Every node kind known here.
        nodes: Every node, those in bodies after the one that they are in.
        reads: What expressions read, by root name (`input`, `secret`, a node), wherever they stand.
    """

    agent: Agent
    kinds: Catalogue
    nodes: tuple[PlacedNode, ...]
    reads: Mapping[str, tuple[PlacedRead, ...]]

    def reads_of(self, root: str) -> tuple[PlacedRead, ...]:
        """Every read of a name."""
        return self.reads.get(root, ())


def subject(checked: CheckedGraph, kinds: Catalogue) -> Subject:
    """Gathers what rules ask for.

    Args:
        checked: An agent's own graph.
        kinds: Every node kind known here.
    """
    agent = checked.graph.agent
    nodes = tuple(_nodes(checked, kinds))
    reads: defaultdict[str, list[PlacedRead]] = defaultdict(list)
    for node, text in _texts(checked, nodes):
        for root, found in templates.roots([text]).items():
            reads[root] += [PlacedRead(text.path, read.path, node) for read in found]
    return Subject(agent, kinds, nodes, {root: tuple(all_) for root, all_ in reads.items()})


def _nodes(checked: CheckedGraph, kinds: Catalogue) -> Iterator[PlacedNode]:
    graph = checked.graph
    for name, node in graph.nodes.items():
        yield PlacedNode(name, node, kinds[node.kind], graph.node_path(name), checked)
        for body in checked.bodies.get(name, {}).values():
            yield from _nodes(body, kinds)


def _texts(
    checked: CheckedGraph, nodes: tuple[PlacedNode, ...]
) -> Iterator[tuple[PlacedNode | None, templates.TemplateText]]:
    """Every text that may hold expressions, each once, with the node that reads it."""
    for name, trigger in checked.graph.agent.spec.triggers.items():
        for text in templates.find(trigger.input, ("spec", "triggers", name, "input")):
            yield None, text
    for placed in nodes:
        config = placed.node.with_
        inside = [(*placed.path, "with", *path) for path in placed.kind.bodies(config).values()]
        for text in templates.find(config, (*placed.path, "with")):
            if not any(text.path[: len(body)] == body for body in inside):
                yield placed, text
        for text in templates.find(placed.node.when, (*placed.path, "when")):
            yield placed, text
        for body in placed.graph.bodies.get(placed.name, {}).values():
            graph = body.graph
            for text in templates.find(dict(graph.outputs), (*graph.path, "outputs")):
                yield None, text
    for text in templates.find(dict(checked.graph.outputs), ("spec", "outputs")):
        yield None, text
