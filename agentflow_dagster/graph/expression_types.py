"""Type-checks every expression of an agent against the schemas of what it reads."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast

from agentflow_dagster.graph import edges, templates
from agentflow_dagster.spec.diagnostics import Diagnostic, error, pointer
from agentflow_dagster.spec.schemas import schema_at_path
from agentflow_dagster.spec.template import has_expression

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentflow_dagster.graph.topology import Topology
    from agentflow_dagster.spec.document import Agent, Node
    from agentflow_dagster.spec.kind import Catalogue, KindConfig, KindSignature
    from agentflow_dagster.spec.values import JsonSchema

_TEXT: JsonSchema = {"type": "string"}
_RUN: JsonSchema = {"type": "object", "properties": {"id": _TEXT, "agent": _TEXT}}
_ERROR: JsonSchema = {"type": "object", "properties": {"message": _TEXT, "type": _TEXT}}


def check_expressions(
    agent: Agent, kinds: Catalogue, topology: Topology, ports: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, JsonSchema], list[Diagnostic]]:
    """Checks nodes in an order in which what they read has its schema, then the agent's outputs.

    Gives the schema of each node's output beside the problems.
    """
    outputs: dict[str, JsonSchema] = {}
    seen: dict[str, JsonSchema] = {}
    found: list[Diagnostic] = []
    base = _base_scope(agent)
    for name in topology.order:
        node = agent.spec.nodes[name]
        kind = kinds[node.kind]
        parents = topology.parents(name)
        found += _check_node(name, node, kind, base | {p: seen[p] for p in parents})
        outputs[name] = kind.output_schema(node.with_, {p: outputs[p] for p in parents})
        seen[name] = _node_schema(outputs[name], ports[name])
    found += _check_outputs(agent, {n: s for n, s in base.items() if n != "secret"} | seen, ports)
    return outputs, found


def _base_scope(agent: Agent) -> dict[str, JsonSchema]:
    """The schemas of what every node may read beside other nodes."""
    return {
        "input": {"type": "object", **cast("JsonSchema", agent.spec.inputs)},
        "run": _RUN,
        "env": {"type": "object", "properties": dict.fromkeys(agent.spec.env, _TEXT)},
        "secret": {"type": "object", "properties": dict.fromkeys(agent.spec.secrets, _TEXT)},
    }


def _node_schema(output: JsonSchema, ports: tuple[str, ...]) -> JsonSchema:
    """What an expression sees of a node: `output`, and `error` where its errors are handled."""
    handled = {"error": _ERROR} if "error" in ports else {}
    return {"type": "object", "properties": {"output": output, **handled}}


def _check_node(
    name: str, node: Node, kind: KindSignature[KindConfig], scope: Mapping[str, JsonSchema]
) -> Iterator[Diagnostic]:
    path = ("spec", "nodes", name)
    config = _config_schema(kind.config)
    for program in kind.programs & node.with_.keys():
        for text in templates.find(node.with_[program], (*path, "with", program)):
            yield from _check_program(text, scope)
    for text in templates.find(kind.templated(node.with_), (*path, "with")):
        schema, problems = templates.check_text(text, scope)
        yield from problems
        inside = text.path[len(path) + 1 :]
        wanted = schema_at_path(config, inside)
        if not problems and wanted:
            yield from templates.check_fit(text.path, schema, wanted)
    if node.when is not None:
        yield from _check_when(templates.TemplateText((*path, "when"), node.when), scope)


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
    agent: Agent, scope: Mapping[str, JsonSchema], ports: Mapping[str, tuple[str, ...]]
) -> Iterator[Diagnostic]:
    for key, value in agent.spec.outputs.items():
        for text in templates.find(value, ("spec", "outputs", key)):
            yield from templates.check_text(text, scope)[1]
            for root, reads in templates.roots([text]).items():
                if root in ports and edges.port_read(reads, ports[root]) is None:
                    yield edges.no_value(root, pointer(*text.path))
