"""Which steps are assets: those that hold data, and those that nothing follows.

Dagster runs an op of an asset job only for the sake of an asset after it, and refuses a graph whose
last ops are none. A last step that only chooses a way is therefore one too, by an output that it
leaves by whichever way it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.orchestration.names import allowed

if TYPE_CHECKING:
    from agentflow_dagster.graph.plan import Plan, PlanStep

LEFT = "_left"
"""The output of a last step without a value; no author's port is called so."""


def asset_steps(plan: Plan) -> tuple[PlanStep, ...]:
    """The steps that are assets, in the plan's order."""
    if plan.agent.spec.lineage == "none":
        return ()
    followed = {edge.source for step in plan.steps for edge in step.edges}
    return tuple(s for s in plan.steps if s.asset or s.name not in followed)


def asset_output(step: PlanStep) -> str:
    """The output of an asset's step that makes it."""
    return "result" if "result" in step.ports else LEFT


def op_outputs(plan: Plan, step: PlanStep) -> tuple[str, ...]:
    """The outputs of a step's op: its ports, and what makes it an asset where they do not."""
    ports = tuple(map(allowed, step.ports))
    is_asset = step in asset_steps(plan)
    return (*ports, LEFT) if is_asset and asset_output(step) == LEFT else ports
