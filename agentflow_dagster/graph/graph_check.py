"""Checks one graph of nodes, and the bodies inside them: kinds, edges, expressions, presence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from agentflow_dagster.graph import edges, expression_types, skipped_reads
from agentflow_dagster.graph.expressions import RESERVED
from agentflow_dagster.graph.topology import Topology, sort
from agentflow_dagster.spec.diagnostics import Diagnostic, error, has_errors, nearest, pointer
from agentflow_dagster.spec.parse import validated
from agentflow_dagster.spec.template import has_expression

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentflow_dagster.graph.node_graph import NodeGraph
    from agentflow_dagster.spec.document import Node
    from agentflow_dagster.spec.kind import Catalogue, KindConfig, KindSignature
    from agentflow_dagster.spec.values import JsonSchema, JsonValue

SCOPE_NAMES = frozenset({"input", "event", "env", "secret", "run", "item", "index", "state"})
"""Names that expressions know apart from nodes."""

_OF_BODIES = frozenset({"item", "index", "state", "args"})

MAX_DEPTH = 5
"""How deep bodies may stand inside each other."""


@dataclass(frozen=True, slots=True)
class CheckedGraph:
    """A graph without errors, and what the checks found out of it.

    Args:
        graph: The graph.
        topology: Its edges, and an order of its nodes.
        ports: The ports of each node.
        types: JSON Schema of each node's output.
        outputs: JSON Schema of what it gives.
        bodies: The graphs inside its nodes, by node and body.
    """

    graph: NodeGraph
    topology: Topology
    ports: Mapping[str, tuple[str, ...]]
    types: Mapping[str, JsonSchema]
    outputs: JsonSchema
    bodies: Mapping[str, Mapping[str, CheckedGraph]] = field(
        default_factory=dict[str, "Mapping[str, CheckedGraph]"]
    )


def check_nodes(
    graph: NodeGraph, kinds: Catalogue, taken: Mapping[str, str], *, depth: int = 0
) -> Iterator[Diagnostic]:
    """Checks names, kinds and configs, in bodies too: what has to hold before edges are drawn.

    Args:
        graph: What is checked.
        kinds: Every node kind known here.
        taken: Names that mean something else around the graph, and what.
        depth: How many bodies it stands in.
    """
    around = {**taken, **dict.fromkeys(graph.nodes, "a node outside this body")}
    for name, node in graph.nodes.items():
        path = graph.node_path(name)
        yield from _check_name(name, path, taken)
        kind = kinds.get(node.kind)
        if kind is None:
            message = f"There is no node kind {node.kind!r}."
            place = pointer(*path, "kind")
            yield error("AF301", message, pointer=place, hint=nearest(node.kind, kinds))
            continue
        problems = list(_check_config(node, kind, path))
        yield from problems
        if not problems:
            yield from _check_bodies(graph, name, kinds, around, depth)


def check_graph(
    graph: NodeGraph, kinds: Catalogue, scope: Mapping[str, JsonSchema]
) -> tuple[CheckedGraph | None, list[Diagnostic]]:
    """Checks a graph whose nodes are in order, and the bodies inside them.

    Args:
        graph: What is checked.
        kinds: Every node kind known here.
        scope: What every node may read beside other nodes.
    """
    ports = {name: edges.ports_of(node, kinds) for name, node in graph.nodes.items()}
    drawn, found = edges.draw(graph, kinds, ports)
    topology = sort(graph.nodes, drawn)
    if not isinstance(topology, Topology):
        found.append(_cycle(graph, topology))
    if found or not isinstance(topology, Topology):
        return None, found
    inside = _Bodies(graph, kinds)
    types = expression_types.check_expressions(
        graph, kinds, topology, ports, scope=scope, check_bodies=inside.check
    )
    found += types.problems + inside.problems
    found += skipped_reads.check_presence(graph, kinds, topology, ports)
    if has_errors(found):
        return None, found
    return CheckedGraph(graph, topology, ports, types.nodes, types.outputs, inside.checked), found


class _Bodies:
    """Checks the bodies of one graph's nodes, each once the types of what it reads are known."""

    def __init__(self, graph: NodeGraph, kinds: Catalogue) -> None:
        self._graph = graph
        self._kinds = kinds
        self.checked: dict[str, dict[str, CheckedGraph]] = {}
        self.problems: list[Diagnostic] = []

    def check(
        self, name: str, scope: Mapping[str, JsonSchema], types: Mapping[str, JsonSchema]
    ) -> dict[str, JsonSchema]:
        node = self._graph.nodes[name]
        kind = self._kinds[node.kind]
        bodies = self._graph.bodies(name, kind)
        if not bodies:
            return {}
        before = dict(scope)
        after: dict[str, JsonSchema] = {}
        given: dict[str, JsonSchema] = {}
        for body, graph in bodies.items():
            names = kind.body_names(node.with_, body, types)
            before |= names
            checked, problems = check_graph(graph, self._kinds, {**scope, **names})
            self.problems += problems
            given[body] = checked.outputs if checked else {}
            if checked is not None:
                self.checked.setdefault(name, {})[body] = checked
                for inner, ports in checked.ports.items():
                    after[inner] = expression_types.node_schema(checked.types[inner], ports)
        if not has_errors(self.problems):
            self.problems += expression_types.check_inner_fields(
                self._graph, name, kind, before, {**before, **after}
            )
        return given


def _check_name(
    name: str, path: tuple[str | int, ...], taken: Mapping[str, str]
) -> Iterator[Diagnostic]:
    place, hint = pointer(*path), "Give the node another name."
    if name in RESERVED or name in SCOPE_NAMES:
        message = f"{name!r} is a word that expressions keep for themselves."
        yield error("AF303", message, pointer=place, hint=hint)
    elif name in taken:
        message = f"{name!r} already is {taken[name]}."
        yield error("AF315", message, pointer=place, hint=hint)


def _check_bodies(
    graph: NodeGraph, name: str, kinds: Catalogue, around: Mapping[str, str], depth: int
) -> Iterator[Diagnostic]:
    kind = kinds[graph.nodes[name].kind]
    bodies = graph.bodies(name, kind)
    place = pointer(*graph.node_path(name))
    if bodies and depth == MAX_DEPTH:
        message = f"Bodies stand more than {MAX_DEPTH} deep inside each other."
        hint = "Make the inner part an agent of its own, and run it with agent.run."
        yield error("AF317", message, pointer=place, hint=hint)
        return
    told: set[str] = set()
    for body, inner in bodies.items():
        names = kind.body_names(graph.nodes[name].with_, body, {})
        for own in names:
            if own in told or (own in _OF_BODIES and own not in graph.nodes):
                continue  # The innermost body's is meant.
            if own in around or own in RESERVED or own in SCOPE_NAMES:
                told.add(own)
                yield _taken_in_body(name, own, place)
        inside = {**around, **dict.fromkeys(names, f"a name in the body of {name!r}")}
        yield from check_nodes(inner, kinds, inside, depth=depth + 1)


def _taken_in_body(name: str, own: str, place: str) -> Diagnostic:
    message = f"The body of {name!r} would call something {own!r} that is called so already."
    hint = "Give the node another name." if own in _OF_BODIES else "Choose another name under `as`."
    return error("AF316", message, pointer=place, hint=hint)


def _check_config(
    node: Node, kind: KindSignature[KindConfig], path: tuple[str | int, ...]
) -> Iterator[Diagnostic]:
    checked = validated(kind.config, node.with_, under=(*path, "with"))
    if isinstance(checked, tuple):
        for found in checked:
            if not _awaits_expression(node, kind, found, (*path, "with")):
                yield found


def _awaits_expression(
    node: Node,
    kind: KindSignature[KindConfig],
    found: Diagnostic,
    path: tuple[str | int, ...],
) -> bool:
    """Whether the value complained of is an expression, whose type is judged later."""
    steps = found.pointer.removeprefix(pointer(*path)).split("/")[1:]
    if not steps or (len(steps) == 1 and steps[0] in kind.fixed):
        return False
    value: JsonValue = dict(node.with_)
    for step in (s.replace("~1", "/").replace("~0", "~") for s in steps):
        if isinstance(value, dict):
            value = cast("dict[str, JsonValue]", value).get(step)
        elif isinstance(value, list):
            value = cast("list[JsonValue]", value)[int(step)]
    return isinstance(value, str) and has_expression(value)


def _cycle(graph: NodeGraph, names: tuple[str, ...]) -> Diagnostic:
    return error(
        "AF310",
        f"The nodes wait for each other: {' -> '.join(names)}.",
        pointer=pointer(*graph.node_path(names[0])),
        hint="Take one of these edges out.",
    )
