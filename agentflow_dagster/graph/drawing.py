"""Makes the picture of an agent. A document that has errors is drawn as far as it goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from pydantic import ValidationError

from agentflow_dagster.graph import edges
from agentflow_dagster.graph.layering import ROW_GAP, Drawn, draw_layers
from agentflow_dagster.graph.node_graph import NodeGraph
from agentflow_dagster.graph.view import (
    HEADER_HEIGHT,
    PORT_HEIGHT,
    GraphView,
    ViewEdge,
    ViewNode,
    corner,
)
from agentflow_dagster.spec.kind import KindConfig, KindSignature

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agentflow_dagster.graph.layering import Point, Size
    from agentflow_dagster.graph.topology import Edge
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonValue

    Way: TypeAlias = tuple[ViewEdge, tuple[Point, ...]]

NODE_WIDTH, NODE_HEIGHT = 232.0, 72.0
_BRANCH_HEADER = 34.0
_PADDING = 18.0


def graph_view(agent: Agent, kinds: Catalogue) -> GraphView:
    """The picture of an agent.

    Nodes stand where the document's `layout` puts them (`{draft: {x: 0, y: 0}}`, by the nodes'
    paths, in pixels within what they stand in). Where it says nothing of any, they are laid out in
    layers; where it says so of some, the others come below.
    """
    laid = _Drawing(kinds, agent.layout).graph(NodeGraph.of_agent(agent), _Frame())
    by_id = {node.id: node for node in laid.nodes}
    return GraphView(
        agent=agent.name,
        description=" ".join(agent.metadata.description.split()),
        nodes=tuple(laid.nodes),
        edges=tuple(replace(edge, points=_route(edge, way, by_id)) for edge, way in laid.ways),
        width=laid.size[0],
        height=laid.size[1],
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a graph is drawn: in which box, how far from its corner, and how its ids begin."""

    parent: str | None = None
    inset: Point = (0.0, 0.0)
    path: str = ""

    def moved(self, point: Point) -> Point:
        return point[0] + self.inset[0], point[1] + self.inset[1]


@dataclass(frozen=True, slots=True)
class _Laid:
    """What was drawn, and its size; what edges pass is told from the corner of the box around."""

    nodes: Sequence[ViewNode]
    ways: Sequence[Way]
    size: Size


class _Unsound(KindSignature[KindConfig]):
    """Stands in for a kind that is not known here, or that a node's config does not fit."""

    config = KindConfig


def _completed(graph: NodeGraph, kinds: Catalogue) -> tuple[NodeGraph, Catalogue]:
    """The graph and the kinds, such that all of it can be drawn."""
    known, nodes = dict(kinds), dict(graph.nodes)
    for name, node in graph.nodes.items():
        if node.kind not in kinds:
            said = "There is no such kind here."
        elif not _fits(graph, name, kinds):
            said = "Its config does not fit its kind."
        else:
            continue
        known[name] = type("_Stand_in", (_Unsound,), {"name": node.kind, "summary": said})()
        # A node's name holds no dot, so it names no kind.
        nodes[name] = node.model_copy(update={"kind": name, "with_": {}, "description": ""})
    return replace(graph, nodes=nodes), known


def _fits(graph: NodeGraph, name: str, kinds: Catalogue) -> bool:
    """Whether a kind can make of the config what is drawn."""
    node, kind = graph.nodes[name], kinds[graph.nodes[name].kind]
    try:
        kind.ports(node.with_)
        kind.reads(node.with_)
        kind.describe(node.with_)
        graph.bodies(name, kind)
    except (ValidationError, AttributeError, LookupError, TypeError, ValueError):
        return False
    return True


class _Drawing:
    """Draws graphs, and those inside their nodes."""

    def __init__(self, kinds: Catalogue, layout: Mapping[str, JsonValue]) -> None:
        self._kinds = kinds
        self._layout = layout

    def graph(self, graph: NodeGraph, frame: _Frame) -> _Laid:
        """Boxes with what stands in them, and edges."""
        graph, kinds = _completed(graph, self._kinds)
        ports = {name: edges.ports_of(node, kinds) for name, node in graph.nodes.items()}
        drawn = _once(edges.draw(graph, kinds, ports)[0])
        data = edges.data_edges(graph, kinds, ports)
        boxes: dict[str, ViewNode] = {}
        inside: list[ViewNode] = []
        ways: list[Way] = []
        for name in graph.nodes:
            boxes[name], held = self._box(graph, name, kinds, frame, ports[name])
            inside += held.nodes
            ways += held.ways
        laid = self._places({n: (b.width, b.height) for n, b in boxes.items()}, drawn, frame)
        for edge in drawn:
            way = laid.ways.get((edge.source, edge.target), ())
            shown = _edge(edge, frame.path, data)
            ways.append((shown, tuple(frame.moved(point) for point in way)))
        nodes: list[ViewNode] = []
        for name, box in boxes.items():
            x, y = frame.moved(laid.places[name])
            nodes.append(replace(box, x=x, y=y, parent=frame.parent))
        return _Laid((*nodes, *inside), ways, laid.size)

    def _box(
        self,
        graph: NodeGraph,
        name: str,
        kinds: Catalogue,
        frame: _Frame,
        ports: tuple[str, ...],
    ) -> tuple[ViewNode, _Laid]:
        """A node's box, and what stands in it."""
        node, kind = graph.nodes[name], kinds[graph.nodes[name].kind]
        box = ViewNode(
            id=frame.path + name,
            name=name,
            kind=kind.name,
            family=kind.family,
            description=" ".join((node.description or kind.describe(node.with_)).split()),
            ports=ports,
            x=0,
            y=0,
            width=NODE_WIDTH,
            height=max(NODE_HEIGHT, (len(ports) + 0.5) * PORT_HEIGHT),
            sound=not isinstance(kind, _Unsound),
        )
        bodies = graph.bodies(name, kind)
        if not bodies:
            return box, _Laid((), (), (0, 0))
        if set(bodies) == {"body"}:  # A loop's, which paths leave out.
            inner = _Frame(box.id, (_PADDING, HEADER_HEIGHT), f"{box.id}.")
            held = self.graph(bodies["body"], inner)
        else:
            held = self._branches(bodies, box.id)
        width = max(NODE_WIDTH, held.size[0] + 2 * _PADDING)
        height = HEADER_HEIGHT + held.size[1] + _PADDING
        return replace(box, holds=True, width=width, height=height), held

    def _branches(self, bodies: Mapping[str, NodeGraph], parent: str) -> _Laid:
        """A box for each branch, one below the other."""
        branches: list[ViewNode] = []
        inside: list[ViewNode] = []
        ways: list[Way] = []
        y = HEADER_HEIGHT
        for name, graph in bodies.items():
            id_ = f"{parent}.{name}"
            held = self.graph(graph, _Frame(id_, (_PADDING, _BRANCH_HEADER), f"{id_}."))
            width, height = held.size[0] + 2 * _PADDING, _BRANCH_HEADER + held.size[1] + _PADDING
            branches.append(
                ViewNode(
                    id=id_,
                    name=name,
                    kind="body",
                    family="body",
                    description="",
                    ports=(),
                    x=_PADDING,
                    y=y,
                    width=width,
                    height=height,
                    parent=parent,
                    holds=True,
                )
            )
            inside += held.nodes
            ways += held.ways
            y += height + ROW_GAP / 2
        widest = max(branch.width for branch in branches)
        same = [replace(branch, width=widest) for branch in branches]
        return _Laid((*same, *inside), ways, (widest, y - HEADER_HEIGHT - ROW_GAP / 2))

    def _places(self, sizes: Mapping[str, Size], drawn: Iterable[Edge], frame: _Frame) -> Drawn:
        told = {name: _point(self._layout.get(frame.path + name)) for name in sizes}
        written = {name: point for name, point in told.items() if point is not None}
        rest = {name: size for name, size in sizes.items() if name not in written}
        among = [(e.source, e.target) for e in drawn if e.source in rest and e.target in rest]
        laid = draw_layers(rest, among)
        if not written:
            return laid
        left, top = min(x for x, _ in written.values()), min(y for _, y in written.values())
        places = {name: (x - left, y - top) for name, (x, y) in written.items()}
        below = max(y + sizes[name][1] for name, (_, y) in places.items()) + ROW_GAP
        places |= {name: (x, y + below) for name, (x, y) in laid.places.items()}
        ways = {ends: tuple((x, y + below) for x, y in way) for ends, way in laid.ways.items()}
        right = max(x + sizes[name][0] for name, (x, _) in places.items())
        bottom = max(y + sizes[name][1] for name, (_, y) in places.items())
        return Drawn(places, ways, (right, bottom))


def _once(drawn: Iterable[Edge]) -> list[Edge]:
    """One edge for each port and target, the most binding where there are several."""
    found: dict[tuple[str, str, str], Edge] = {}
    for edge in drawn:
        ends = (edge.source, edge.port, edge.target)
        if ends not in found or found[ends].role == "optional":
            found[ends] = edge
    return list(found.values())


def _edge(edge: Edge, path: str, data: frozenset[tuple[str, str, str]]) -> ViewEdge:
    return ViewEdge(
        id=f"{path}{edge.source}.{edge.port}>{edge.target}",
        source=path + edge.source,
        port=edge.port,
        target=path + edge.target,
        role=edge.role,
        data=(edge.source, edge.port, edge.target) in data,
    )


def _route(
    edge: ViewEdge, way: Sequence[Point], nodes: Mapping[str, ViewNode]
) -> tuple[Point, ...]:
    """The ends of an edge and what it passes between them, in the whole picture."""
    source, target = nodes[edge.source], nodes[edge.target]
    (x, y), (to_x, to_y) = corner(source, nodes), corner(target, nodes)
    around = _Frame(inset=(x - source.x, y - source.y))
    return (
        (x + source.width, y + source.port_height(edge.port)),
        *(around.moved(point) for point in way),
        (to_x, to_y + target.port_height("")),
    )


def _point(written: JsonValue) -> Point | None:
    """A place in the document's `layout`; None where it says none."""
    match written:
        case {"x": int() | float() as x, "y": int() | float() as y}:
            return float(x), float(y)
        case _:
            return None
