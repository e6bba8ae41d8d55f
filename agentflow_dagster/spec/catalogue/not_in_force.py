"""Accepted, and not in force."""

from __future__ import annotations

from agentflow_dagster.spec.catalogue.entry import Entry

ENTRIES = (
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
        means="Of `limits`, only `llmCalls` is enforced in this release.",
        example="`limits: {fileOperations: 100}`",
        advice="Set a `timeout`.",
    ),
    Entry(
        code="AF913",
        severity="warning",
        means="A condition of `llmRouting` that no call ever meets.",
        example="`conditions: [{complexity: huge}]`",
        advice="`complexity` is low, medium or high; `accuracy` normal or critical; `cost` normal, "
        "priority or minimal; `data_sensitivity` normal or high.",
    ),
)
