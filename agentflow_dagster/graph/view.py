"""An agent's graph as people are shown it: boxes with their places, and the ways between them.

`drawing.py` makes it, once, so that the live graph and the static picture look the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.graph.layering import Point
    from agentflow_dagster.graph.topology import Role
    from agentflow_dagster.spec.values import JsonObject

PORT_HEIGHT = 24.0
"""Pixels between two ports of a box."""
HEADER_HEIGHT = 52.0
"""Pixels above what stands in a box."""
_ONLY = ("result",)


@dataclass(frozen=True, slots=True)
class ViewNode:
    """A box.

    Args:
        id: The node's path: `draft`, in a loop `each.draft`, in a branch `views.tone.draft`.
        name: What the document calls it.
        kind: Its kind; `body` where it is a branch of a node, which holds nodes itself.
        family: `ai` of `ai.chat`.
        description: What it does, on one line.
        ports: By which it may leave, from above to below.
        x, y: Upper left corner, in pixels, in its parent.
        width, height: In pixels.
        parent: The box that it stands in; None where it stands in the graph itself.
        holds: Whether boxes stand in it.
        sound: Whether there is such a kind here, and the config fits it.
    """

    id: str
    name: str
    kind: str
    family: str
    description: str
    ports: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float
    parent: str | None = None
    holds: bool = False
    sound: bool = True

    @property
    def shown_ports(self) -> tuple[str, ...]:
        """The ports that are named: none where there is but the usual one."""
        return () if self.ports == _ONLY else self.ports

    def port_height(self, port: str) -> float:
        """Where an edge leaves by a port, in pixels from the upper edge."""
        middle = self.height / 2
        if port not in self.ports:
            return middle
        return middle + (self.ports.index(port) - (len(self.ports) - 1) / 2) * PORT_HEIGHT


@dataclass(frozen=True, slots=True)
class ViewEdge:
    """A way from a port to a node.

    Args:
        id: Unique in the graph.
        source, port, target: The ends; source and target are ids of nodes.
        role: As in `Edge`.
        data: Whether a value passes; otherwise it only orders.
        points: Its ends and what it passes, in pixels, from left to right in the whole picture.
    """

    id: str
    source: str
    port: str
    target: str
    role: Role
    data: bool
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class GraphView:
    """The whole picture; width and height in pixels."""

    agent: str
    description: str
    nodes: tuple[ViewNode, ...]
    edges: tuple[ViewEdge, ...]
    width: float
    height: float

    def to_json(self) -> JsonObject:
        """What front ends draw; `GraphView` in `extensions/graph/src/types.ts`."""
        return {
            "agent": self.agent,
            "description": self.description,
            "width": self.width,
            "height": self.height,
            "nodes": [
                {
                    **{name: getattr(node, name) for name in node.__slots__},
                    "ports": [
                        {"name": port, "y": node.port_height(port), "shown": bool(node.shown_ports)}
                        for port in node.ports
                    ],
                    "entry": node.port_height(""),
                }
                for node in self.nodes
            ],
            "edges": [
                {
                    **{name: getattr(edge, name) for name in edge.__slots__},
                    "points": [list(point) for point in edge.points],
                }
                for edge in self.edges
            ],
        }

    def corner(self, node: ViewNode) -> Point:
        """A box's upper left corner in the whole picture."""
        return corner(node, {one.id: one for one in self.nodes})


def corner(node: ViewNode, nodes: Mapping[str, ViewNode]) -> Point:
    """A box's upper left corner in the whole picture, given all boxes by id."""
    x, y, parent = node.x, node.y, node.parent
    while parent is not None:
        around = nodes[parent]
        x, y, parent = x + around.x, y + around.y, around.parent
    return x, y
