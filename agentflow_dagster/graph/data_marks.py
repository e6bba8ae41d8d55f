"""What is to be minded of the data that each node reads.

- *sensitive*: it is of an input that the agent's schema marks `x-sensitive: true`. Only a local
  model may see it.
- *tainted*: it came from outside (a tool's answer, a page, a callback): data, and no instruction. A
  policy may want a person to approve what it leads to.

Both pass on with the data: what a node makes of it is of the same kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from agentflow_dagster.graph import templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agentflow_dagster.graph.graph_check import CheckedGraph
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonSchema, JsonValue

Mark: TypeAlias = Literal["sensitive", "tainted"]
Marks: TypeAlias = "frozenset[Mark]"
NONE: Marks = frozenset()
SENSITIVE = "x-sensitive"
"""What a property of the input is marked with, in its JSON Schema."""


def data_marks(
    checked: CheckedGraph, kinds: Catalogue, around: Marks = NONE
) -> Mapping[str, Marks]:
    """The marks of what each node of a graph reads, in its bodies too.

    Args:
        checked: The graph, without errors.
        kinds: Every node kind known here.
        around: The marks of what is read around the graph, where it is a body.
    """
    graph = checked.graph
    schema = cast("JsonSchema", graph.agent.spec.inputs)
    reads: dict[str, Marks] = {}
    gives: dict[str, Marks] = {}
    for name in checked.topology.order:
        kind = kinds[graph.nodes[name].kind]
        found: set[Mark] = set(around)
        for root, all_read in templates.roots(templates.of_node(graph, name, kinds)).items():
            found |= gives.get(root, NONE)
            if root == "input" and any(_is_sensitive(schema, read.path) for read in all_read):
                found.add("sensitive")
        for source in kind.reads(graph.nodes[name].with_):
            found |= gives.get(source, NONE)
        if any(_has_outside(inner, kinds) for inner in checked.bodies.get(name, {}).values()):
            found.add("tainted")  # What one of its bodies gives may reach another.
        reads[name] = frozenset(found)
        gives[name] = reads[name] | (_TAINTED if kind.outside else NONE)
    return reads


def outside_arguments(checked: CheckedGraph, kinds: Catalogue) -> frozenset[str]:
    """The nodes of a tool's body that read more than the tool's arguments say: what came from
    outside within the body, or what stands around it. Whoever allowed the call has not seen that.
    """
    graph = checked.graph
    found: set[str] = set()
    gives: set[str] = set()
    for name in checked.topology.order:
        kind = kinds[graph.nodes[name].kind]
        roots = {*templates.roots(templates.of_node(graph, name, kinds))}
        roots |= {*kind.reads(graph.nodes[name].with_)}
        if roots - graph.nodes.keys() - _OF_THE_CALL or roots & gives or name in checked.bodies:
            found.add(name)
        if name in found or kind.outside:
            gives.add(name)
    return frozenset(found)


_OF_THE_CALL = frozenset({"args", "input", "env", "secret", "run"})
_TAINTED: Marks = frozenset({"tainted"})


def _has_outside(checked: CheckedGraph, kinds: Catalogue) -> bool:
    """Whether anything in a body gives what came from outside."""
    own: Iterable[bool] = (kinds[node.kind].outside for node in checked.graph.nodes.values())
    inner = (body for bodies in checked.bodies.values() for body in bodies.values())
    return any(own) or any(_has_outside(body, kinds) for body in inner)


def _is_sensitive(schema: JsonSchema, path: tuple[str, ...]) -> bool:
    """Whether a part of the input is marked, or has a part that is."""
    at: JsonValue = schema
    for step in path:
        if not isinstance(at, dict) or at.get(SENSITIVE) is True:
            break
        properties = at.get("properties")
        at = properties.get(step) if isinstance(properties, dict) else None
    return _has_mark(at)


def _has_mark(schema: JsonValue) -> bool:
    if isinstance(schema, list):
        return any(map(_has_mark, schema))
    if not isinstance(schema, dict):
        return False
    return schema.get(SENSITIVE) is True or any(map(_has_mark, schema.values()))
