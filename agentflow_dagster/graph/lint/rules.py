"""The rules, in the order in which they are told. A new one is a function, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.graph.lint import declarations, nodes, secrets
from agentflow_dagster.graph.lint.subject import Rule, subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentflow_dagster.graph.topology import Topology
    from agentflow_dagster.spec.diagnostics import Diagnostic
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.kind import Catalogue

RULES: tuple[Rule, ...] = (
    nodes.ports_without_follower,
    nodes.calls_without_timeout,
    nodes.unused_nodes,
    nodes.prompts_that_read_nothing,
    nodes.loops_without_budget,
    declarations.unused_secrets,
    declarations.unused_env,
    declarations.unused_inputs,
    secrets.secrets_shown_to_a_model,
    secrets.secrets_over_plain_http,
)


def lint(
    agent: Agent, kinds: Catalogue, topology: Topology, ports: Mapping[str, tuple[str, ...]]
) -> Iterator[Diagnostic]:
    """What is unwise in an agent that has no error."""
    given = subject(agent, kinds, topology, ports)
    for rule in RULES:
        yield from rule(given)
