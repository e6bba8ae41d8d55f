"""The rules, in the order in which they are told. A new one is a function, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.graph.lint import declarations, nodes, secrets
from agentflow_dagster.graph.lint.subject import Rule, subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.graph.graph_check import CheckedGraph
    from agentflow_dagster.spec.diagnostics import Diagnostic
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


def lint(checked: CheckedGraph, kinds: Catalogue) -> Iterator[Diagnostic]:
    """What is unwise in an agent that has no error, in the bodies of its nodes too."""
    given = subject(checked, kinds)
    for rule in RULES:
        yield from rule(given)
