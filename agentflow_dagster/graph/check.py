"""Checks a whole agent: its inputs, its triggers and its graph. Gives its plan.

The later checks run on what the earlier ones found sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.errors import DocumentError
from agentflow_dagster.graph import (
    clear_secrets,
    demands,
    document_tests,
    inputs,
    limits,
    partitions,
    triggers,
)
from agentflow_dagster.graph.expression_types import base_scope
from agentflow_dagster.graph.graph_check import SCOPE_NAMES, check_graph, check_nodes
from agentflow_dagster.graph.lint import lint
from agentflow_dagster.graph.node_graph import NodeGraph
from agentflow_dagster.graph.plan import Plan, build_plan
from agentflow_dagster.spec.diagnostics import Diagnostic, has_errors
from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.sources import SourceCatalogue
    from agentflow_dagster.spec.values import JsonSchema, JsonValue

__all__ = ["SCOPE_NAMES", "Verdict", "check_agent", "plan_of"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks say: every problem, and the plan where no error stands in its way."""

    diagnostics: tuple[Diagnostic, ...]
    plan: Plan | None


def check_agent(
    agent: Agent,
    kinds: Catalogue,
    *,
    sources: SourceCatalogue | None = None,
    rows: Mapping[str, JsonSchema] | None = None,
) -> Verdict:
    """Checks an agent's meaning.

    Args:
        agent: A document whose fields are in order (`spec.parse`).
        kinds: Every node kind known here.
        sources: Every connector known here; None where `event` triggers are not to be judged, as
            those of a version that was deployed.
        rows: JSON Schema of a row of the data sets that tests name, as far as they are known here.
    """
    if too_many := limits.too_many_nodes(agent):
        return Verdict((too_many,), None)
    in_clear = clear_secrets.check_clear_secrets(agent)
    graph = NodeGraph.of_agent(agent)
    of_inputs = list(inputs.check_inputs(agent))
    of_nodes = list(check_nodes(graph, kinds, {}))
    found = [*in_clear, *demands.check_demands(agent, kinds)]
    found += [*of_inputs, *of_nodes]
    if not of_inputs:
        found += triggers.check_triggers(agent, sources)
        found += partitions.check_partitions(agent)
    if of_inputs or of_nodes:
        return Verdict(tuple(found), None)
    checked, problems = check_graph(graph, kinds, base_scope(agent))
    found += problems
    if checked is None or has_errors(found):
        return Verdict(tuple(found), None)
    found += document_tests.check_tests(agent, checked, rows or {})
    if has_errors(found):
        return Verdict(tuple(found), None)
    found += lint(checked, kinds)
    return Verdict(tuple(found), build_plan(checked, kinds))


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
