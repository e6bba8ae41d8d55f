"""The edges of an agent: written (`after`, `onError`), named by a kind's config, or implied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.graph import templates
from agentflow_dagster.graph.topology import Edge, Role
from agentflow_dagster.spec.diagnostics import Diagnostic, error, nearest, pointer
from agentflow_dagster.spec.kind import VALUED_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agentflow_dagster.graph.cel_syntax import Read
    from agentflow_dagster.graph.node_graph import NodeGraph
    from agentflow_dagster.spec.document import Node
    from agentflow_dagster.spec.kind import Catalogue


def ports_of(node: Node, kinds: Catalogue) -> tuple[str, ...]:
    """The ports by which a node may leave, `error` included where its errors are handled."""
    own = kinds[node.kind].ports(node.with_)
    return (*own, "error") if node.on_error is not None and "error" not in own else own


def draw(
    graph: NodeGraph, kinds: Catalogue, ports: Mapping[str, tuple[str, ...]]
) -> tuple[list[Edge], list[Diagnostic]]:
    """Every edge of a graph, and what is wrong with those that cannot be drawn."""
    edges: list[Edge] = []
    problems: list[Diagnostic] = []
    for name in graph.nodes:
        for found in (
            *_after(graph, name, ports),
            *_named_by_kind(graph, name, kinds, ports),
            *_on_error(graph, name),
            *_implied(graph, name, kinds, ports),
        ):
            if isinstance(found, Edge):
                edges.append(found)
            else:
                problems.append(found)
    return edges, problems


def data_edges(
    graph: NodeGraph, kinds: Catalogue, ports: Mapping[str, tuple[str, ...]]
) -> frozenset[tuple[str, str, str]]:
    """Source, port and target of each edge by which a value passes; the others only order."""
    return frozenset(
        (found.source, found.port, name)
        for name in graph.nodes
        for found in (
            *_named_by_kind(graph, name, kinds, ports),
            *_implied(graph, name, kinds, ports),
        )
        if isinstance(found, Edge)
    )


def port_read(reads: Sequence[Read], ports: tuple[str, ...]) -> str | None:
    """The port whose value is read: `error` or `rejected` where nothing else is; None where there
    is none."""
    for port in VALUED_PORTS:
        if port in ports and all(read.path[:1] == (port,) for read in reads):
            return port
    return "result" if "result" in ports else None


def is_guarded(reads: Sequence[Read]) -> bool:
    """Whether the reads bear that the node did not run: `has(node.output)` stands among them."""
    return any(read.tested and len(read.path) == 1 for read in reads)


def no_value(source: str, place: str) -> Diagnostic:
    """The problem of reading a node that only chooses a way."""
    return error(
        "AF307",
        f"{source!r} puts out no value: it only chooses a way.",
        pointer=place,
        hint="Read a node that has an output, or name this one's port under `after`.",
    )


def _after(
    graph: NodeGraph, name: str, ports: Mapping[str, tuple[str, ...]]
) -> Iterator[Edge | Diagnostic]:
    node = graph.nodes[name]
    for index, reference in enumerate(node.after):
        source, _, port = reference.partition(".")
        place = pointer(*graph.node_path(name), "after", index)
        if source not in ports:
            yield _no_node(source, ports, place)
        elif not port and "result" not in ports[source]:
            yield error(
                "AF305",
                f"{source!r} has several ways out.",
                pointer=place,
                hint=f"Name one: {', '.join(f'{source}.{p}' for p in ports[source])}.",
            )
        elif (port or "result") not in ports[source]:
            yield error(
                "AF306",
                f"{source!r} has no port {port!r}.",
                pointer=place,
                hint=_port_hint(source, port, ports[source]),
            )
        else:
            yield Edge(source, port or "result", name, _joined(node))


def _port_hint(source: str, port: str, ports: tuple[str, ...]) -> str:
    if port == "error":
        return f"Set onError on {source!r} to give it one."
    return nearest(port, ports)


def _named_by_kind(
    graph: NodeGraph, name: str, kinds: Catalogue, ports: Mapping[str, tuple[str, ...]]
) -> Iterator[Edge | Diagnostic]:
    node = graph.nodes[name]
    place = pointer(*graph.node_path(name), "with")
    for source in kinds[node.kind].reads(node.with_):
        if source not in ports:
            yield _no_node(source, ports, place)
        elif "result" not in ports[source]:
            yield no_value(source, place)
        else:
            yield Edge(source, "result", name, _joined(node))


def _on_error(graph: NodeGraph, name: str) -> Iterator[Edge | Diagnostic]:
    node = graph.nodes[name]
    if node.on_error is None:
        return
    target = node.on_error.to
    if target not in graph.nodes:
        place = pointer(*graph.node_path(name), "onError", "to")
        yield _no_node(target, graph.nodes, place)
    else:
        yield Edge(name, "error", target, _joined(graph.nodes[target]))


def _implied(
    graph: NodeGraph, name: str, kinds: Catalogue, ports: Mapping[str, tuple[str, ...]]
) -> Iterator[Edge | Diagnostic]:
    for text in templates.of_node(graph, name, kinds):
        for root, reads in templates.roots([text]).items():
            if root not in ports:
                continue
            if root == name:
                message = f"{name!r} reads its own output."
                hint = "Read a node that runs before it."
                yield error("AF308", message, pointer=pointer(*text.path), hint=hint)
            elif port := port_read(reads, ports[root]):
                role: Role = "optional" if is_guarded(reads) else "required"
                yield Edge(root, port, name, role)
            else:
                yield no_value(root, pointer(*text.path))


def _joined(node: Node) -> Role:
    return "any" if node.join == "any" else "required"


def _no_node(name: str, known: Mapping[str, object], place: str) -> Diagnostic:
    return error("AF304", f"There is no node {name!r}.", pointer=place, hint=nearest(name, known))
