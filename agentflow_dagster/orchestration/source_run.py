"""A run's input, and where a partial run takes its input and upstream values from.

"Materialize selected" runs some of an agent's nodes. Mixing the latest values of several runs would
mix tickets, so everything that is not run comes from one run: the one named in config or by tag, or
else the newest successful run of the agent that has what the selected nodes wait for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dagster import AssetKey, DagsterRunStatus, Failure, RunsFilter

from agentflow_dagster.errors import UsageError
from agentflow_dagster.graph.inputs import complete_input
from agentflow_dagster.orchestration.names import (
    AGENT_TAG,
    PARTIAL_TAG,
    SOURCE_RUN_TAG,
    dagster_name,
)
from agentflow_dagster.ports.stores import StepOutput

if TYPE_CHECKING:
    from dagster import OpExecutionContext

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.ports.stores import StepStore
    from agentflow_dagster.spec.values import JsonObject, JsonSchema

INPUT = "$input"
"""The node name under which a run's own input is stored."""

_CANDIDATES = 100


def source_run(context: OpExecutionContext, plan: Plan) -> str | None:
    """The run that a partial run draws on; None in a whole run.

    Raises:
        Failure: a partial run, and no run has what it needs.
    """
    config = cast("dict[str, Any]", context.op_config or {})
    tag = context.instance.get_run_by_id(context.run_id)
    tagged = tag.tags.get(SOURCE_RUN_TAG) if tag else None
    if named := (config.get("source_run") or tagged):
        return str(named)
    wanted = {AssetKey([dagster_name(plan.agent.name), s.name]) for s in plan.steps if s.asset}
    if wanted <= set(context.selected_asset_keys):
        return None
    found = _newest(context, plan, {k.path[1] for k in wanted & set(context.selected_asset_keys)})
    context.instance.add_run_tags(
        context.run_id,
        {SOURCE_RUN_TAG: found, PARTIAL_TAG: "true", AGENT_TAG: plan.agent.name},
    )
    return found


def run_input(
    context: OpExecutionContext, plan: Plan, steps: StepStore, source: str | None
) -> JsonObject:
    """The run's input: its source run's, or that of its config, stored for later partial runs.

    Raises:
        Failure: it does not meet the agent's schema, or the source run's is not stored.
    """
    if source is not None:
        stored = steps.get(source, INPUT)
        if stored is None:
            raise Failure(f"Run {source} has no stored input.", allow_retries=False)
        return cast("JsonObject", stored.value)
    if (own := steps.get(context.run_id, INPUT)) is not None:
        return cast("JsonObject", own.value)
    config = cast("dict[str, JsonObject]", context.op_config or {})
    given = config.get("input") or {}
    try:
        complete = complete_input(cast("JsonSchema", plan.agent.spec.inputs), given)
    except UsageError as problem:
        raise Failure(str(problem), allow_retries=False) from None
    steps.put(context.run_id, INPUT, StepOutput("result", cast("Any", complete)))
    return complete


def _newest(context: OpExecutionContext, plan: Plan, selected: set[str]) -> str:
    waited_for = {
        edge.source
        for step in plan.steps
        if step.name in selected
        for edge in step.edges
        if edge.role == "required" and edge.source not in selected
    }
    runs = context.instance.get_runs(
        RunsFilter(tags={AGENT_TAG: plan.agent.name}, statuses=[DagsterRunStatus.SUCCESS]),
        limit=_CANDIDATES,
    )
    whole = [run.run_id for run in runs if PARTIAL_TAG not in run.tags]
    steps: StepStore = context.resources.stores.open().steps
    found = steps.newest_run_with(whole, [*sorted(waited_for), INPUT])
    if found is None:
        needed = ", ".join(sorted(waited_for)) or "input"
        raise Failure(
            f"No successful run of {plan.agent.name!r} has {needed}, which is needed here.",
            metadata={"hint": f"Run the whole agent first, or set the tag {SOURCE_RUN_TAG}."},
            allow_retries=False,
        )
    return found
