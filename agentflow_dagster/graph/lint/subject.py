"""What the rules look at: an agent without errors, and what its expressions read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from agentflow_dagster.graph import templates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from agentflow_dagster.graph.topology import Topology
    from agentflow_dagster.spec.diagnostics import Diagnostic
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.kind import Catalogue

Path: TypeAlias = "tuple[str | int, ...]"
Rule: TypeAlias = "Callable[[Subject], Iterator[Diagnostic]]"


@dataclass(frozen=True, slots=True)
class PlacedRead:
    """One read: the path in the document of the text that it stands in, and the fields read."""

    place: Path
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """One agent.

    Args:
        agent: Its document, without errors.
        kinds: Every node kind known here.
        topology: Its nodes' order and edges.
        ports: The ports of every node.
        reads: What expressions read, by root name (`input`, `secret`, a node), wherever they stand.
    """

    agent: Agent
    kinds: Catalogue
    topology: Topology
    ports: Mapping[str, tuple[str, ...]]
    reads: Mapping[str, tuple[PlacedRead, ...]]

    def reads_of(self, root: str) -> tuple[PlacedRead, ...]:
        """Every read of a name."""
        return self.reads.get(root, ())


def subject(
    agent: Agent, kinds: Catalogue, topology: Topology, ports: Mapping[str, tuple[str, ...]]
) -> Subject:
    """Gathers what rules ask for."""
    reads: defaultdict[str, list[PlacedRead]] = defaultdict(list)
    for text in _texts(agent):
        for root, found in templates.roots([text]).items():
            reads[root] += [PlacedRead(text.path, read.path) for read in found]
    return Subject(
        agent, kinds, topology, ports, {root: tuple(all_) for root, all_ in reads.items()}
    )


def _texts(agent: Agent) -> Iterator[templates.TemplateText]:
    for name, trigger in agent.spec.triggers.items():
        yield from templates.find(trigger.input, ("spec", "triggers", name, "input"))
    for name, node in agent.spec.nodes.items():
        path = ("spec", "nodes", name)
        yield from templates.find(node.with_, (*path, "with"))
        yield from templates.find(node.when, (*path, "when"))
    yield from templates.find(agent.spec.outputs, ("spec", "outputs"))
