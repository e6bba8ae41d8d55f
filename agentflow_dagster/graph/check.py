"""Checks a whole agent: kinds, edges, expressions, presence, triggers. Gives its plan.

Each rule is a function that yields diagnostics; the later ones run on what the earlier ones found
sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import DocumentError
from agentflow_dagster.graph import edges, expression_types, inputs, limits, skipped_reads, triggers
from agentflow_dagster.graph.expressions import RESERVED
from agentflow_dagster.graph.lint import lint
from agentflow_dagster.graph.plan import Plan, build_plan
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
from agentflow_dagster.spec.template import has_expression

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentflow_dagster.spec.document import Agent, Node
    from agentflow_dagster.spec.kind import Catalogue, KindConfig, KindSignature
    from agentflow_dagster.spec.values import JsonValue

SCOPE_NAMES = frozenset({"input", "event", "env", "secret", "run", "item", "index"})
"""Names that expressions know apart from nodes."""


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
    if too_many := limits.too_many_nodes(agent):
        return Verdict((too_many,), None)
    of_inputs = list(inputs.check_inputs(agent))
    of_nodes = [*_check_names(agent), *_check_kinds(agent, kinds)]
    found = [*_not_in_force(agent), *of_inputs, *of_nodes]
    if not of_inputs:
        found += triggers.check_triggers(agent)
    if of_inputs or of_nodes:
        return Verdict(tuple(found), None)
    ports = {name: edges.ports_of(node, kinds) for name, node in agent.spec.nodes.items()}
    drawn, problems = edges.draw(agent, kinds, ports)
    topology = sort(agent.spec.nodes, drawn)
    if not isinstance(topology, Topology):
        problems.append(_cycle(topology))
    found += problems
    if problems or not isinstance(topology, Topology):
        return Verdict(tuple(found), None)
    schemas, problems = expression_types.check_expressions(agent, kinds, topology, ports)
    found += problems
    found += skipped_reads.check_presence(agent, kinds, topology, ports)
    if has_errors(found):
        return Verdict(tuple(found), None)
    found += lint(agent, kinds, topology, ports)
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
                if not _awaits_expression(node, kind, found, (*path, "with")):
                    yield found


def _awaits_expression(
    node: Node, kind: KindSignature[KindConfig], found: Diagnostic, path: tuple[str, ...]
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
        message = "`budget` is not enforced in this release."
        yield warning("AF901", message, pointer=pointer("spec", "budget"))
    if agent.spec.tests:
        message = "`tests` are not run in this release."
        yield warning("AF902", message, pointer=pointer("spec", "tests"))
    for name, node in agent.spec.nodes.items():
        if node.on_unknown is not None:
            message = "`onUnknown` is not acted on in this release."
            yield warning("AF903", message, pointer=pointer("spec", "nodes", name, "onUnknown"))
