"""Checks a whole agent: kinds, edges, expressions, presence, triggers. Gives its plan.

Each rule is a function that yields diagnostics; what one rule needs of an earlier one is passed on
in `_Draft`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import DocumentError
from agentflow_dagster.graph import edges, inputs, templates, triggers
from agentflow_dagster.graph.expressions import RESERVED
from agentflow_dagster.graph.plan import Plan, build_plan
from agentflow_dagster.graph.presence import Choices, presence
from agentflow_dagster.graph.topology import Topology, sort
from agentflow_dagster.spec.diagnostics import (
    Diagnostic,
    error,
    has_errors,
    nearest,
    pointer,
    warning,
)
from agentflow_dagster.spec.parse import parse_agent, validated
from agentflow_dagster.spec.schemas import schema_at_path
from agentflow_dagster.spec.template import has_expression

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentflow_dagster.graph.presence import Presence
    from agentflow_dagster.spec.document import Agent, Node
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonSchema, JsonValue

SCOPE_NAMES = frozenset({"input", "event", "env", "secret", "run", "item", "index"})
"""Names that expressions know apart from nodes."""

RUN_SCHEMA: JsonSchema = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "agent": {"type": "string"}},
}
ERROR_SCHEMA: JsonSchema = {
    "type": "object",
    "properties": {"message": {"type": "string"}, "type": {"type": "string"}},
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks say: every problem, and the plan where no error stands in its way."""

    diagnostics: tuple[Diagnostic, ...]
    plan: Plan | None


def check_agent(agent: Agent, kinds: Catalogue) -> Verdict:
    """Checks an agent's meaning.

    Args:
        agent: A document whose fields are in order (`spec.parse`).
        kinds: Every node kind known here.
    """
    found = [*inputs.check_inputs(agent), *_check_names(agent), *_check_kinds(agent, kinds)]
    found += _not_in_force(agent)
    if has_errors(found):
        return Verdict(tuple(found), None)
    ports = {name: edges.ports_of(node, kinds) for name, node in agent.spec.nodes.items()}
    drawn, problems = edges.draw(agent, kinds, ports)
    found += problems
    topology = sort(agent.spec.nodes, drawn)
    if not isinstance(topology, Topology):
        found.append(_cycle(topology))
    if has_errors(found) or not isinstance(topology, Topology):
        return Verdict(tuple(found), None)
    schemas, problems = _check_expressions(agent, kinds, topology)
    found += problems
    found += _check_presence(agent, topology, ports)
    found += triggers.check_triggers(agent)
    if has_errors(found):
        return Verdict(tuple(found), None)
    return Verdict(tuple(found), build_plan(agent, topology, kinds, ports, schemas))


def plan_of(document: Mapping[str, JsonValue], kinds: Catalogue) -> Plan:
    """The plan of a stored document.

    Raises:
        DocumentError: it has errors, as one from another release may.
    """
    agent = parse_agent(document)
    if isinstance(agent, tuple):
        raise DocumentError(agent)
    verdict = check_agent(agent, kinds)
    if verdict.plan is None:
        raise DocumentError([d for d in verdict.diagnostics if d.severity == "error"])
    return verdict.plan


def base_scope(agent: Agent) -> dict[str, JsonSchema]:
    """The schemas of what every node may read beside other nodes."""
    text: JsonSchema = {"type": "string"}
    return {
        "input": cast("JsonSchema", agent.spec.inputs),
        "run": RUN_SCHEMA,
        "env": {"type": "object", "properties": dict.fromkeys(agent.spec.env, text)},
        "secret": {"type": "object", "properties": dict.fromkeys(agent.spec.secrets, text)},
    }


def _check_names(agent: Agent) -> Iterator[Diagnostic]:
    for name in agent.spec.nodes:
        if name in RESERVED or name in SCOPE_NAMES:
            yield error(
                "AF303",
                f"{name!r} is a word that expressions keep for themselves.",
                pointer=pointer("spec", "nodes", name),
                hint="Give the node another name.",
            )


def _check_kinds(agent: Agent, kinds: Catalogue) -> Iterator[Diagnostic]:
    for name, node in agent.spec.nodes.items():
        path = ("spec", "nodes", name)
        kind = kinds.get(node.kind)
        if kind is None:
            yield error(
                "AF301",
                f"There is no node kind {node.kind!r}.",
                pointer=pointer(*path, "kind"),
                hint=nearest(node.kind, kinds),
            )
            continue
        checked = validated(kind.config, node.with_, under=(*path, "with"))
        if isinstance(checked, tuple):
            for found in checked:
                if not _holds_expression(node, found.pointer, path):
                    yield found


def _holds_expression(node: Node, place: str, path: tuple[str, ...]) -> bool:
    """Whether the value complained of is an expression, whose type is judged later."""
    value: object = node.with_
    for step in place.removeprefix(pointer(*path, "with")).split("/")[1:]:
        if isinstance(value, dict):
            value = cast("dict[str, object]", value).get(step)
        elif isinstance(value, list) and step.isdigit():
            value = cast("list[object]", value)[int(step)]
    return isinstance(value, str) and has_expression(value)


def _check_expressions(
    agent: Agent, kinds: Catalogue, topology: Topology
) -> tuple[dict[str, JsonSchema], list[Diagnostic]]:
    """Type-checks every expression, in an order in which what it reads has its schema."""
    schemas: dict[str, JsonSchema] = {}
    found: list[Diagnostic] = []
    base = base_scope(agent)
    for name in topology.order:
        node = agent.spec.nodes[name]
        scope = base | {p: _node_schema(schemas[p]) for p in topology.parents(name)}
        found += _check_node(name, node, kinds, scope)
        upstream = {p: schemas[p] for p in topology.parents(name)}
        schemas[name] = kinds[node.kind].output_schema(node.with_, upstream)
    scope = {n: s for n, s in base.items() if n != "secret"}
    scope |= {name: _node_schema(schema) for name, schema in schemas.items()}
    for key, value in agent.spec.outputs.items():
        for text in templates.find(value, ("spec", "outputs", key)):
            found += templates.check_text(text, scope)[1]
    return schemas, found


def _check_node(
    name: str, node: Node, kinds: Catalogue, scope: Mapping[str, JsonSchema]
) -> Iterator[Diagnostic]:
    path = ("spec", "nodes", name)
    config = cast("JsonSchema", kinds[node.kind].config.model_json_schema(by_alias=True))
    for text in templates.find(node.with_, (*path, "with")):
        schema, problems = templates.check_text(text, scope)
        yield from problems
        wanted = schema_at_path(config, text.path[len(path) + 1 :])
        if not problems and wanted and (why := templates.misfit(schema, wanted)):
            yield error("AF206", f"{text.path[-1]} {why}.", pointer=pointer(*text.path))
    if node.when is not None:
        yield from _check_when(templates.TemplateText((*path, "when"), node.when), scope)


def _check_when(
    text: templates.TemplateText, scope: Mapping[str, JsonSchema]
) -> Iterator[Diagnostic]:
    if not has_expression(text.text):
        yield error(
            "AF208",
            "`when` holds no expression.",
            pointer=pointer(*text.path),
            hint="Write it as \"{{ … }}\".",
        )
        return
    schema, problems = templates.check_text(text, scope)
    yield from problems
    if not problems and (why := templates.misfit(schema, {"type": "boolean"})):
        yield error("AF206", f"`when` {why}.", pointer=pointer(*text.path))


def _node_schema(output: JsonSchema) -> JsonSchema:
    return {"type": "object", "properties": {"output": output, "error": ERROR_SCHEMA}}


def _check_presence(
    agent: Agent, topology: Topology, ports: Mapping[str, tuple[str, ...]]
) -> Iterator[Diagnostic]:
    choices = {
        name: Choices(ports[name], skippable=node.when is not None)
        for name, node in agent.spec.nodes.items()
    }
    judged = presence(topology, choices)
    if judged is None:
        return
    for name, node in agent.spec.nodes.items():
        if node.join == "any":
            for text in templates.find(node.with_, ("spec", "nodes", name, "with")):
                yield from _absent_reads(text, agent, judged, when=name)
    for key, value in agent.spec.outputs.items():
        for text in templates.find(value, ("spec", "outputs", key)):
            yield from _absent_reads(text, agent, judged, when=None)


def _absent_reads(
    text: templates.TemplateText, agent: Agent, judged: Presence, *, when: str | None
) -> Iterator[Diagnostic]:
    for root, reads in templates.roots([text]).items():
        guarded = any(read.tested for read in reads)
        if root not in agent.spec.nodes or guarded or all(r.path[:1] == ("error",) for r in reads):
            continue
        if judged.may_lack(root, "result", when=when):
            yield error(
                "AF207",
                f"{root!r} may have been skipped here.",
                pointer=pointer(*text.path),
                hint=f"Guard it: has({root}.output) ? {root}.output : null",
            )


def _cycle(names: tuple[str, ...]) -> Diagnostic:
    return error(
        "AF310",
        f"The nodes wait for each other: {' -> '.join(names)}.",
        pointer=pointer("spec", "nodes", names[0]),
        hint="Take one of these edges out.",
    )


def _not_in_force(agent: Agent) -> Iterator[Diagnostic]:
    """Fields of the format that this release accepts and does not act on."""
    if agent.spec.budget is not None:
        yield warning(
            "AF901", "`budget` is not enforced in this release.", pointer=pointer("spec", "budget")
        )
    if agent.spec.tests:
        yield warning(
            "AF902", "`tests` are not run in this release.", pointer=pointer("spec", "tests")
        )
    for name, node in agent.spec.nodes.items():
        if node.on_unknown is not None:
            yield warning(
                "AF903",
                "`onUnknown` is not acted on in this release.",
                pointer=pointer("spec", "nodes", name, "onUnknown"),
            )
