"""A run's input, and the run that a partial run takes its input and upstream values from.

"Materialize selected" runs some of an agent's nodes. Mixing the latest values of several runs would
mix tickets, so everything that is not run comes from one run of the same partition: the one named
in config or by tag, or else the newest successful run of the agent in which the selected nodes have
what they wait for. A run that was re-executed from a failure goes on from the one that failed.

What was found is stored beside the run's values, so that every step, and every run that builds on
this one, sees the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from dagster import AssetKey, DagsterRunStatus, Failure, RunsFilter
from dagster._core.storage.tags import ASSET_RESUME_RETRY_TAG

from agentflow_dagster.errors import UsageError
from agentflow_dagster.graph.inputs import complete_input
from agentflow_dagster.graph.partitions import with_partition
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.assets import asset_steps
from agentflow_dagster.orchestration.footing import Footing, Scope, footing, is_closed
from agentflow_dagster.orchestration.names import INPUT, NEWEST
from agentflow_dagster.orchestration.partitions import PARTITION, PARTITION_TAG, shown
from agentflow_dagster.ports.stores import StepOutput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster import DagsterRun, GraphDefinition, OpExecutionContext
    from dagster._core.definitions.dependency import NodeHandle

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.ports.stores import StepStore
    from agentflow_dagster.spec.values import JsonObject, JsonSchema

BUILT_ON = "$source"
"""The node name under which the store key of the run that it builds on is stored."""

_CANDIDATES = 25


@dataclass(frozen=True, slots=True)
class Ground:
    """A run of one agent at one of its steps.

    Args:
        key: The id under which its values are stored.
        input: The run's input, complete.
        own: What it has stored itself, the steps in bodies too.
        footing: What it does itself, and the values that it sees.
        partial: Whether other runs' values stand in for some of its nodes.
        partition: What `run` shows of its partition.
    """

    key: str
    input: JsonObject
    own: Mapping[str, StepOutput]
    footing: Footing
    partial: bool
    partition: JsonObject


def ground(
    context: OpExecutionContext, plan: Plan, steps: StepStore, run_tags: Mapping[str, str]
) -> Ground:
    """Finds out where the run stands; at its first step, where it begins.

    Args:
        context: Dagster's, of a step.
        plan: The agent.
        steps: The store.
        run_tags: What every run of the agent is tagged with; Dagster's own asset job does not.

    Raises:
        Failure: the input does not meet the agent's schema, or no run has what a partial one needs.
    """
    key = store_key(context.run, plan)
    own = steps.all(key)
    if INPUT not in own:
        _begin(context, plan, steps, key, run_tags)
        own = steps.all(key)
    built_on = layers(steps, own)
    return Ground(
        key=key,
        input=cast("JsonObject", own[INPUT].value),
        own=own,
        footing=footing(plan, _scope(context, plan), own, built_on),
        partial=bool(built_on),
        partition=cast("JsonObject", own[PARTITION].value) if PARTITION in own else {},
    )


def store_key(run: DagsterRun, plan: Plan) -> str:
    """The id under which a run's values of an agent are stored: the run's own, unless it is a run
    of several agents (Dagster's own asset job), whose nodes may be called the same."""
    agent = plan.agent.name
    return run.run_id if _is_alone(run, agent) else f"{run.run_id}/{names.dagster_name(agent)}"


def _is_alone(run: DagsterRun, agent: str) -> bool:
    if run.job_name == names.job_name(agent):
        return True
    name = names.dagster_name(agent)
    return bool(run.asset_selection) and all(k.path[0] == name for k in run.asset_selection or ())


def _begin(
    context: OpExecutionContext,
    plan: Plan,
    steps: StepStore,
    key: str,
    run_tags: Mapping[str, str],
) -> None:
    """Finds the run to build on and the input, and stores both."""
    run = context.instance.get_run_by_id(context.run_id) or context.run
    scope = _scope(context, plan)
    partition = shown(plan.agent.spec.partitions, run)
    tags: dict[str, str] = {}
    if _is_alone(run, plan.agent.name) and names.AGENT_TAG not in run.tags:
        tags |= run_tags
    found = _found(context, run, plan, steps, scope)
    if found is None:
        given = cast("JsonObject", _config(context).get("input") or {})
        schema = cast("JsonSchema", plan.agent.spec.inputs)
        input_ = _completed(plan, with_partition(schema, given, partition))
    else:
        input_ = cast("JsonObject", found.input.value)
        if not is_closed(plan, scope) or not scope.whole:
            steps.put(key, BUILT_ON, StepOutput("result", found.key))
        if not scope.whole:
            alone = _is_alone(run, plan.agent.name)
            tag = names.source_run_tag(plan.agent.name, alone=alone)
            tags |= {tag: found.run_id, names.PARTIAL_TAG: "true"}
    if tags:
        context.instance.add_run_tags(context.run_id, tags)
    if partition:
        steps.put(key, PARTITION, StepOutput("result", cast("Any", partition)))
    steps.put(key, INPUT, StepOutput("result", cast("Any", input_)))


@dataclass(frozen=True, slots=True)
class _Found:
    """A run to build on."""

    run_id: str
    key: str
    input: StepOutput


def _found(
    context: OpExecutionContext, run: DagsterRun, plan: Plan, steps: StepStore, scope: Scope
) -> _Found | None:
    """The run to build on; None where the run stands alone."""
    config = _config(context)
    if run.parent_run_id and (
        len(scope.steps) < len(_nodes_of_job(context, plan)) or ASSET_RESUME_RETRY_TAG in run.tags
    ):
        return _named(context, plan, steps, run.parent_run_id)
    tag = names.source_run_tag(plan.agent.name, alone=_is_alone(run, plan.agent.name))
    named = config.get("source_run")
    if named in {None, NEWEST}:  # A part's config says the newest by itself; a tag is someone's.
        named = run.tags.get(tag) or named
    if is_closed(plan, scope) and ("input" in config or (scope.whole and not named)):
        return None
    if named and named != NEWEST:
        return _named(context, plan, steps, str(named))
    if "input" in config:
        wanted = footing(plan, scope, {}, [{}])
        raise Failure(
            f"{plan.agent.name!r} needs {', '.join(wanted.stands_in_for(plan)) or 'other values'} "
            "of another run here, so it cannot start from an input of its own.",
            metadata={"hint": f"Give `source_run` instead of `input`: a run's id, or {NEWEST!r}."},
            allow_retries=False,
        )
    return _newest(context, plan, steps, scope)


def _named(context: OpExecutionContext, plan: Plan, steps: StepStore, run_id: str) -> _Found:
    run = context.instance.get_run_by_id(run_id)
    if run is None:
        raise Failure(f"There is no run {run_id!r}.", allow_retries=False)
    own, other = (r.tags.get(PARTITION_TAG) for r in (context.run, run))
    if plan.agent.spec.partitions is not None and own != other:
        raise Failure(
            f"Run {run_id} is of partition {other!r}, and this one of {own!r}.",
            metadata={"hint": f"Name a run of the same partition, or {NEWEST!r}."},
            allow_retries=False,
        )
    key = store_key(run, plan)
    input_ = steps.get(key, INPUT)
    if input_ is None:
        raise Failure(
            f"Run {run_id} has no stored input of {plan.agent.name!r}.", allow_retries=False
        )
    return _Found(run_id, key, input_)


def _newest(context: OpExecutionContext, plan: Plan, steps: StepStore, scope: Scope) -> _Found:
    tags = {names.AGENT_TAG: plan.agent.name}
    if plan.agent.spec.partitions is not None:
        tags[PARTITION_TAG] = context.run.tags.get(PARTITION_TAG, "")
    runs = context.instance.get_runs(
        RunsFilter(tags=tags, statuses=[DagsterRunStatus.SUCCESS]),
        limit=_CANDIDATES,
    )
    second_best: _Found | None = None
    for run in runs:
        if names.PARTIAL_TAG in run.tags or run.run_id == context.run_id:
            continue
        key = store_key(run, plan)
        held = steps.all(key)
        if INPUT not in held:
            continue
        found = _Found(run.run_id, key, held[INPUT])
        match footing(plan, scope, {}, [held, *layers(steps, held)]).finds(plan):
            case "all":
                return found
            case "some":
                second_best = second_best or found
            case "nothing":
                pass
    if second_best is not None:
        return second_best
    needed = footing(plan, scope, {}, [{}]).stands_in_for(plan)
    raise Failure(
        f"No successful run of {plan.agent.name!r} has {', '.join(needed) or 'an input'}, which is "
        "needed here.",
        metadata={"hint": "Run the whole agent first, or name a run in `source_run`."},
        allow_retries=False,
    )


def layers(steps: StepStore, held: Mapping[str, StepOutput]) -> list[Mapping[str, StepOutput]]:
    """The outputs of the runs that a run builds on, the nearest first."""
    layers: list[Mapping[str, StepOutput]] = []
    while (source := held.get(BUILT_ON)) is not None:
        held = steps.all(str(source.value))
        layers.append(held)
    return layers


def _completed(plan: Plan, given: JsonObject) -> JsonObject:
    try:
        return complete_input(cast("JsonSchema", plan.agent.spec.inputs), given)
    except UsageError as problem:
        raise Failure(str(problem), allow_retries=False) from None


def _scope(context: OpExecutionContext, plan: Plan) -> Scope:
    assets = {step.name for step in asset_steps(plan)}
    agent = names.dagster_name(plan.agent.name)
    selected = {n for n in assets if AssetKey([agent, n]) in context.selected_asset_keys}
    nodes = _nodes_of_job(context, plan)
    if (keys := context.run.step_keys_to_execute) is not None:
        nodes = {n for n in nodes if names.step_key(plan.agent.name, n) in keys}
    return Scope(frozenset(nodes), frozenset(assets), frozenset(selected))


def _nodes_of_job(context: OpExecutionContext, plan: Plan) -> set[str]:
    """The agent's nodes in the job as it was selected, run or not."""
    handle = cast("NodeHandle", context.op_handle.parent)
    graph = cast("GraphDefinition", context.job_def.get_node(handle).definition)
    steps = {node.name for node in graph.nodes}
    return {s.name for s in plan.steps if names.allowed(s.name) in steps}


def _config(context: OpExecutionContext) -> dict[str, Any]:
    return cast("dict[str, Any]", context.op_config or {})
