"""Whether control reaches a step, by the ports that the steps before it left by."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from agentflow_dagster.graph.plan import PlanStep
    from agentflow_dagster.graph.topology import Edge
    from agentflow_dagster.ports.stores import StepOutput


def reaches(step: PlanStep, outputs: Mapping[str, StepOutput], lost: Collection[str] = ()) -> bool:
    """Whether a step's edges let it run, as far as its parents have run.

    Args:
        step: The step.
        outputs: What has been put out, by node.
        lost: Nodes of which nobody knows how they would have left: they failed, or wait for such.
    """
    open_ = [(e.role, e.source in lost or left_by(e, outputs)) for e in step.edges]
    any_of = [way for role, way in open_ if role == "any"]
    return all(way for role, way in open_ if role == "required") and (any(any_of) or not any_of)


def left_by(edge: Edge, outputs: Mapping[str, StepOutput]) -> bool:
    """Whether an edge's source has run and left by the edge's port."""
    return edge.source in outputs and outputs[edge.source].port == edge.port
