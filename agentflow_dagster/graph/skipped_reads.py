"""Reads of nodes that may have been skipped: each is to stand under `has()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.graph import edges, templates
from agentflow_dagster.graph.presence import Choices, presence
from agentflow_dagster.spec.diagnostics import Diagnostic, error, pointer
from agentflow_dagster.spec.kind import VALUED_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentflow_dagster.graph.node_graph import NodeGraph
    from agentflow_dagster.graph.presence import Presence
    from agentflow_dagster.graph.topology import Topology
    from agentflow_dagster.spec.kind import Catalogue


_MAY = {"error": "have succeeded", "rejected": "not have been rejected"}


def check_presence(
    graph: NodeGraph,
    kinds: Catalogue,
    topology: Topology,
    ports: Mapping[str, tuple[str, ...]],
) -> Iterator[Diagnostic]:
    """Judges the graph's outputs, and nodes that one of several ways is enough for.

    Any other node that reads a skipped one is skipped with it, which is what its author wrote.
    """
    choices = {
        name: Choices(ports[name], skippable=node.when is not None)
        for name, node in graph.nodes.items()
    }
    judged = presence(topology, choices)
    if judged is None:
        return
    yield from _never_reached(graph, topology, judged)
    for name, node in graph.nodes.items():
        if node.join == "any":
            for text in templates.of_node(graph, name, kinds):
                yield from _absent_reads(text, ports, judged, when=name)
    for key, value in graph.outputs.items():
        for text in templates.find(value, (*graph.path, "outputs", key)):
            yield from _absent_reads(text, ports, judged, when=None)


def _never_reached(graph: NodeGraph, topology: Topology, judged: Presence) -> Iterator[Diagnostic]:
    """AF312, for the first such node on each way: what follows it falls with it."""
    never = {name for name in topology.order if judged.never(name)}
    for name in topology.order:
        if name in never and never.isdisjoint(topology.parents(name)):
            ways = ", ".join(
                repr(e.source if e.port == "result" else f"{e.source}.{e.port}")
                for e in topology.into(name)
                if e.role != "optional"
            )
            yield error(
                "AF312",
                f"{name!r} can never run: it waits for {ways}, and no run has all of them.",
                pointer=pointer(*graph.node_path(name)),
                hint="Write `join: any` where one of them is enough, or merge the ways by "
                "logic.merge.",
            )


def _absent_reads(
    text: templates.TemplateText,
    ports: Mapping[str, tuple[str, ...]],
    judged: Presence,
    *,
    when: str | None,
) -> Iterator[Diagnostic]:
    for root, reads in templates.roots([text]).items():
        if root not in ports or edges.is_guarded(reads):
            continue
        port = edges.port_read(reads, ports[root])
        if port is not None and judged.may_lack(root, port, when=when):
            field = port if port in VALUED_PORTS else "output"
            may = _MAY.get(port, "have been skipped")
            read = ".".join((root, *max((one.path for one in reads), key=len)))
            yield error(
                "AF207",
                f"{root!r} may {may} here.",
                pointer=pointer(*text.path),
                hint=f"Guard it: has({root}.{field}) ? {read} : …, a value of the same type.",
            )
