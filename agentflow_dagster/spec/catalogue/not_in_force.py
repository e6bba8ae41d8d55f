"""Accepted, not in force yet."""

from __future__ import annotations

from agentflow_dagster.spec.catalogue.entry import Entry

ENTRIES = (
    Entry(
        code="AF901",
        severity="warning",
        means="`budget` is not enforced in this release.",
        example="`budget: {perRunUsd: 0.05}`",
        advice="Set a limit with your provider.",
    ),
    Entry(
        code="AF904",
        severity="warning",
        means="`onUnknown` means nothing for a node with bodies, or for one that waits.",
        example="`onUnknown: review` on a `logic.loop`",
        advice="Set it on the node in the body that changes something outside.",
    ),
    Entry(
        code="AF911",
        severity="warning",
        means="What of `resources` nothing holds the node to.",
        example="`resources: {cpu: 200m}`",
        advice="Set limits where the processes run. `memory` of code, tables and the agents that "
        "`agent.run` runs is enforced.",
    ),
    Entry(
        code="AF912",
        severity="warning",
        means="`limits` are not enforced in this release.",
        example="`limits: {llmCalls: 100}`",
        advice="Set a `timeout`.",
    ),
    Entry(
        code="AF913",
        severity="warning",
        means="`llmRouting` is not acted on in this release.",
        example="`llmRouting: {strategy: latency}`",
        advice="Name the model of each node in its `llm`.",
    ),
)
