"""Type-checks every expression of a graph against the schemas of what it reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias, cast

from agentflow_dagster.graph import edges, templates
from agentflow_dagster.graph.partitions import run_schema
from agentflow_dagster.spec.diagnostics import Diagnostic, error, pointer
from agentflow_dagster.spec.schemas import properties, schema_at_path, schema_of
from agentflow_dagster.spec.template import has_expression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from agentflow_dagster.graph.node_graph import NodeGraph
    from agentflow_dagster.graph.topology import Topology
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.kind import Catalogue, KindConfig, KindSignature
    from agentflow_dagster.spec.values import JsonSchema

_TEXT: JsonSchema = {"type": "string"}
_ERROR: JsonSchema = {"type": "object", "properties": {"message": _TEXT, "type": _TEXT}}


@dataclass(frozen=True, slots=True)
class Types:
    """What the expressions of a graph came to.

    Args:
        nodes: JSON Schema of each node's output.
        outputs: JSON Schema of what the graph gives.
        problems: What is wrong.
    """

    nodes: Mapping[str, JsonSchema]
    outputs: JsonSchema
    problems: list[Diagnostic]


CheckBodies: TypeAlias = (
    "Callable[[str, Mapping[str, JsonSchema], Mapping[str, JsonSchema]], dict[str, JsonSchema]]"
)
"""Checks a node's bodies, given its name, the scope that it sees, and the types of its config's
fields; gives the schema of each body's outputs."""


def check_expressions(
    graph: NodeGraph,
    kinds: Catalogue,
    topology: Topology,
    ports: Mapping[str, tuple[str, ...]],
    *,
    scope: Mapping[str, JsonSchema],
    check_bodies: CheckBodies,
) -> Types:
    """Checks nodes in an order in which what they read has its schema, then the graph's outputs.

    Args:
        graph: What is checked.
        kinds: Every node kind known here.
        topology: Its edges.
        ports: The ports of each node.
        scope: What every node may read beside other nodes.
        check_bodies: Checks the graphs inside a node.
    """
    outputs: dict[str, JsonSchema] = {}
    seen: dict[str, JsonSchema] = {}
    found: list[Diagnostic] = []
    for name in topology.order:
        kind = kinds[graph.nodes[name].kind]
        parents = topology.parents(name)
        visible = {**scope, **{p: seen[p] for p in parents}}
        types, problems = _check_node(graph, name, kind, visible)
        found += problems
        bodies = check_bodies(name, visible, types)
        upstream = {**{p: outputs[p] for p in parents}, **bodies}
        outputs[name] = kind.output_schema(graph.nodes[name].with_, upstream)
        seen[name] = node_schema(outputs[name], ports[name])
    without_secrets = {n: s for n, s in scope.items() if n != "secret"}
    given, problems = _check_outputs(graph, {**without_secrets, **seen}, ports)
    return Types(outputs, given, found + problems)


def base_scope(agent: Agent) -> dict[str, JsonSchema]:
    """The schemas of what every node of an agent may read beside other nodes."""
    return {
        "input": {"type": "object", **cast("JsonSchema", agent.spec.inputs)},
        "run": run_schema(agent),
        "env": {"type": "object", "properties": dict.fromkeys(agent.spec.env, _TEXT)},
        "secret": {"type": "object", "properties": dict.fromkeys(agent.spec.secrets, _TEXT)},
    }


def check_inner_fields(
    graph: NodeGraph,
    name: str,
    kind: KindSignature[KindConfig],
    before: Mapping[str, JsonSchema],
    after: Mapping[str, JsonSchema],
) -> Iterator[Diagnostic]:
    """Checks the fields that are evaluated around a node's bodies.

    Args:
        graph, name, kind: The node.
        before: What those know that are evaluated before each run of a body.
        after: The same, afterwards.
    """
    node, path = graph.nodes[name], graph.node_path(name)
    for field, when in kind.inner.items():
        scope = before if when == "before" else after
        for text in templates.find(node.with_.get(field), (*path, "with", field)):
            yield from _check_config_text(text, len(path) + 1, kind, scope)[1]


def node_schema(output: JsonSchema, ports: tuple[str, ...]) -> JsonSchema:
    """What an expression sees of a node: `output`; `error` where its errors are handled; `rejected`
    where it may be that, which has the output's type."""
    handled = {"error": _ERROR} if "error" in ports else {}
    rejected = {"rejected": output} if "rejected" in ports else {}
    return {"type": "object", "properties": {"output": output, **handled, **rejected}}


def _check_node(
    graph: NodeGraph, name: str, kind: KindSignature[KindConfig], scope: Mapping[str, JsonSchema]
) -> tuple[dict[str, JsonSchema], list[Diagnostic]]:
    """Gives the schemas of what the config's fields evaluate to, beside the problems."""
    node, path = graph.nodes[name], graph.node_path(name)
    found: list[Diagnostic] = []
    if kind.called_back:
        known = {**properties(scope["run"]), "callback_url": _TEXT}
        scope = {**scope, "run": {"type": "object", "properties": known}}
    types = {f: schema_of(v) for f, v in kind.templated(node.with_).items()}
    for program in kind.programs & node.with_.keys():
        for text in templates.find(node.with_[program], (*path, "with", program)):
            found += _check_program(text, scope)
    for text in templates.find(kind.templated(node.with_), (*path, "with")):
        schema, problems = _check_config_text(text, len(path) + 1, kind, scope)
        found += problems
        field = text.path[len(path) + 1 :]
        if len(field) == 1:
            types[str(field[0])] = schema
    if node.when is not None:
        found += _check_when(templates.TemplateText((*path, "when"), node.when), scope)
    return types, found


def _check_config_text(
    text: templates.TemplateText,
    depth: int,
    kind: KindSignature[KindConfig],
    scope: Mapping[str, JsonSchema],
) -> tuple[JsonSchema, list[Diagnostic]]:
    """Checks a text that stands `depth` steps down the document in a config."""
    schema, problems = templates.check_text(text, scope)
    wanted = schema_at_path(_config_schema(kind.config), text.path[depth:])
    if not problems and wanted:
        problems = list(templates.check_fit(text.path, schema, wanted))
    return schema, problems


@lru_cache(maxsize=256)
def _config_schema(config: type[KindConfig]) -> JsonSchema:
    return config.model_json_schema(by_alias=True)


def _check_program(
    text: templates.TemplateText, scope: Mapping[str, JsonSchema]
) -> Iterator[Diagnostic]:
    """A value written into a program would be run as a part of it, whoever sent it; so programs
    are taken as they stand, and who means otherwise is told."""
    for root in templates.roots([text]).keys() & scope.keys():
        yield error(
            "AF209",
            f"`{text.path[-1]}` is a program: {root!r} is not written into it.",
            pointer=pointer(*text.path),
            hint="Give the value by `inputs`, and read it there as a variable.",
        )


def _check_when(
    text: templates.TemplateText, scope: Mapping[str, JsonSchema]
) -> Iterator[Diagnostic]:
    if not has_expression(text.text):
        yield error(
            "AF208",
            "`when` holds no expression.",
            pointer=pointer(*text.path),
            hint='Write it as "{{ … }}".',
        )
        return
    schema, problems = templates.check_text(text, scope)
    yield from problems
    if not problems:
        yield from templates.check_fit(text.path, schema, {"type": "boolean"})


def _check_outputs(
    graph: NodeGraph, scope: Mapping[str, JsonSchema], ports: Mapping[str, tuple[str, ...]]
) -> tuple[JsonSchema, list[Diagnostic]]:
    found: list[Diagnostic] = []
    types: dict[str, JsonSchema] = {}
    for key, value in graph.outputs.items():
        types[key] = schema_of(value)
        for text in templates.find(value, (*graph.path, "outputs", key)):
            schema, problems = templates.check_text(text, scope)
            found += problems
            if text.path == (*graph.path, "outputs", key):
                types[key] = schema
            for root, reads in templates.roots([text]).items():
                if root in ports and edges.port_read(reads, ports[root]) is None:
                    found.append(edges.no_value(root, pointer(*text.path)))
    return {"type": "object", "properties": types, "required": list(types)}, found
