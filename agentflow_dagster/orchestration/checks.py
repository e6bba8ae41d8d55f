"""What nodes check of their data, as Dagster's asset checks.

Each check is an output of the node's op, so that a run of some assets takes their checks along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster import AssetCheckResult, AssetCheckSeverity, AssetCheckSpec, AssetKey

from agentflow_dagster.orchestration.assets import asset_steps
from agentflow_dagster.orchestration.names import dagster_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dagster import OpExecutionContext

    from agentflow_dagster.graph.plan import Plan, PlanStep
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.spec.checks import CheckResult
    from agentflow_dagster.spec.kind import KindConfig


def specs(
    plan: Plan, step: PlanStep, kind: Kind[KindConfig]
) -> tuple[tuple[str, AssetCheckSpec], ...]:
    """Each check of a step, after the op's output that stands for it.

    A step whose errors are handled succeeds, so that none of its checks may block.
    """
    if step not in asset_steps(plan):
        return ()
    key = AssetKey([dagster_name(plan.agent.name), step.name])
    return tuple(
        (
            _output(step, index),
            AssetCheckSpec(
                declared.name,
                asset=key,
                description=declared.description or None,
                blocking=declared.blocking and not step.handles_errors,
            ),
        )
        for index, declared in enumerate(kind.checks(step.node.with_))
    )


def results(
    context: OpExecutionContext,
    plan: Plan,
    step: PlanStep,
    kind: Kind[KindConfig],
    came_out: Iterable[CheckResult],
) -> Iterator[AssetCheckResult]:
    """Tells Dagster how checks came out; those of assets that are not selected are left aside."""
    outputs = {spec.name: (output, spec) for output, spec in specs(plan, step, kind)}
    for result in came_out:
        output, spec = outputs.get(result.name, ("", None))
        if spec is None or output not in context.selected_output_names:
            continue
        blocks = kind.checks(step.node.with_)
        serious = any(declared.blocking for declared in blocks if declared.name == result.name)
        yield AssetCheckResult(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=result.passed,
            severity=AssetCheckSeverity.ERROR if serious else AssetCheckSeverity.WARN,
            description=result.description or None,
            metadata={name: fact for name, fact in result.facts.items() if fact is not None},
        )


def _output(step: PlanStep, index: int) -> str:
    """No author's port begins so; the last number tells apart, whatever nodes are called."""
    return f"_check_{step.name}_{index}"
