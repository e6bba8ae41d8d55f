"""Edges, order and ancestry of an agent's nodes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Role = Literal["required", "any", "optional"]


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """One way from a node's port to another node.

    Args:
        source, port: Where it comes from.
        target: The node that waits.
        role: `required`: the target is skipped without it. `any`: one of the target's `any` edges
            is enough (`join: any`). `optional`: waited for, but never skips the target (a read
            under `has()`).
    """

    source: str
    port: str
    target: str
    role: Role = "required"


@dataclass(frozen=True, slots=True)
class Topology:
    """The nodes in an order in which each comes after all it waits for."""

    order: tuple[str, ...]
    edges: tuple[Edge, ...]
    _into: Mapping[str, tuple[Edge, ...]] = field(init=False, repr=False, compare=False)
    _out_of: Mapping[str, tuple[Edge, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # By node, once: every rule asks for every node, of which there may be thousands.
        object.__setattr__(self, "_into", _grouped((e.target, e) for e in self.edges))
        object.__setattr__(self, "_out_of", _grouped((e.source, e) for e in self.edges))

    def into(self, node: str) -> tuple[Edge, ...]:
        """The edges that end at a node, in the order in which its author wrote them."""
        return self._into.get(node, ())

    def out_of(self, node: str) -> tuple[Edge, ...]:
        """The edges that begin at a node, in the order in which their author wrote them."""
        return self._out_of.get(node, ())

    def parents(self, node: str) -> tuple[str, ...]:
        """The nodes that it waits for, without repeats."""
        return tuple(dict.fromkeys(e.source for e in self.into(node)))


def _grouped(pairs: Iterable[tuple[str, Edge]]) -> dict[str, tuple[Edge, ...]]:
    found: defaultdict[str, list[Edge]] = defaultdict(list)
    for name, edge in pairs:
        found[name].append(edge)
    return {name: tuple(edges) for name, edges in found.items()}


def sort(nodes: Iterable[str], edges: Iterable[Edge]) -> Topology | tuple[str, ...]:
    """Orders the nodes; the names along a cycle where there is one.

    Nodes that do not wait for each other keep their author's order.
    """
    names = list(nodes)
    kept = tuple(dict.fromkeys(edges))
    sorter = TopologicalSorter[str]({name: [] for name in names})
    for edge in kept:
        sorter.add(edge.target, edge.source)
    try:
        sorter.prepare()
    except CycleError as cycle:
        return tuple(cycle.args[1])
    rank = {name: i for i, name in enumerate(names)}
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=rank.__getitem__)
        order += ready
        sorter.done(*ready)
    return Topology(tuple(order), kept)


def nearest_ancestors(topology: Topology, wanted: Mapping[str, bool]) -> dict[str, tuple[str, ...]]:
    """For every node, its nearest ancestors for which `wanted` is true, through the others."""
    found: dict[str, dict[str, None]] = {}
    for node in topology.order:
        near: dict[str, None] = {}
        for parent in topology.parents(node):
            near |= {parent: None} if wanted[parent] else found[parent]
        found[node] = near
    return {node: tuple(near) for node, near in found.items()}
