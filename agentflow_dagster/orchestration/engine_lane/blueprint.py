"""What all runs of one version have in common in Dagster's tables: its snapshots, its plan, and a
run of it that only wants an id and an input.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from dagster import AssetKey, Definitions
from dagster._core.execution.api import create_execution_plan
from dagster._core.instance.runs.run_domain import RunDomain
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.snap import snapshot_from_execution_plan
from dagster._core.storage.tags import CODE_LOCATION_TAG

from agentflow_dagster.graph.inputs import InputSchema
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.assets import asset_steps
from agentflow_dagster.orchestration.engine_lane.events import Events
from agentflow_dagster.orchestration.engine_lane.run_texts import RunForm
from agentflow_dagster.orchestration.run_config import run_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster import DagsterEvent, DagsterInstance, DagsterRun, JobDefinition
    from dagster._core.definitions.dependency import NodeHandle
    from dagster._core.execution.plan.step import IExecutionStep

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.orchestration.compile import CompiledAgent
    from agentflow_dagster.spec.values import JsonObject, JsonSchema

_REPOSITORY = "__repository__"
"""As Dagster calls the definitions of a code location."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One version, ready to be run in the engine lane.

    Args:
        compiled: The version.
        job: Its job.
        run: A run of it, not yet started; its id and input are those of nobody.
        form: Of the texts of such runs.
        takes: What its inputs have to meet.
        events: The events of its runs.
        steps: Dagster's steps by key, each after all that it waits for.
        outputs: The outputs of each step that a whole run may leave by, by the step's key: Dagster
            refuses those that nothing waits for.
        assets: The nodes that are assets, each with its key and those that it is made from.
    """

    compiled: CompiledAgent
    job: JobDefinition
    run: DagsterRun
    form: RunForm
    takes: InputSchema
    events: Events
    steps: Mapping[str, IExecutionStep]
    outputs: Mapping[str, frozenset[str]]
    assets: Mapping[str, tuple[AssetKey, tuple[AssetKey, ...]]]

    def new_run(self, input_: JsonObject, tags: Mapping[str, str]) -> DagsterRun:
        """A run of it that Dagster does not know of.

        Args:
            input_: Its input.
            tags: Beside those that every run of the agent has.
        """
        agent = names.dagster_name(self.compiled.plan.agent.name)
        changed = {
            "run_id": str(uuid.uuid4()),
            "run_config": run_config(agent, input_),
            "tags": {**self.run.tags, **tags},
        }
        return cast("Any", self.run)._replace(**changed)

    @property
    def most_at_once(self) -> int:
        """How many runs of the agent there may be at a time."""
        return self.compiled.plan.agent.spec.config.max_concurrent_executions


def blueprint(
    compiled: CompiledAgent,
    resources: Mapping[str, object],
    instance: DagsterInstance,
    *,
    location: str = names.LOCATION,
) -> Blueprint:
    """Stores a version's snapshots and makes its blueprint.

    Args:
        compiled: The version.
        resources: `RUN_RESOURCES`, by key.
        instance: Where its runs are recorded.
        location: The code location where the UI finds its job.
    """
    plan = compiled.plan
    job = Definitions(
        assets=compiled.assets, jobs=[compiled.job], resources=dict(resources)
    ).resolve_job_def(names.job_name(plan.agent.name))
    # Dagster wants some that it would take; that of a source run needs no input to be made up.
    config = {"ops": {names.dagster_name(plan.agent.name): {"config": {"source_run": "none"}}}}
    execution_plan = create_execution_plan(job, config)
    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), _REPOSITORY)
    snapshot = snapshot_from_execution_plan(execution_plan, job.get_job_snapshot_id())
    run = instance.run_domain.construct_run_with_snapshots(
        job_name=job.name,
        run_id="",
        run_config=config,
        resolved_op_selection=None,
        step_keys_to_execute=execution_plan.step_keys_to_execute,
        status=None,
        tags={**job.run_tags, CODE_LOCATION_TAG: location},
        root_run_id=None,
        parent_run_id=None,
        job_snapshot=job.get_job_snapshot(),
        execution_plan_snapshot=snapshot,
        parent_job_snapshot=job.get_parent_job_snapshot(),
        remote_job_origin=RemoteJobOrigin(origin, job.name),
        asset_graph=cast("Any", job.asset_layer.asset_graph),
    )
    reported = _Reported()
    announcing: Any = RunDomain(cast("Any", reported))
    announcing._log_asset_planned_events(run, snapshot, job.asset_layer.asset_graph)  # noqa: SLF001
    steps = {step.key: step for step in execution_plan.get_all_steps_in_topo_order()}
    return Blueprint(
        compiled=compiled,
        job=job,
        run=run,
        form=RunForm.of(run),
        takes=InputSchema(cast("JsonSchema", plan.agent.spec.inputs)),
        events=Events(job, execution_plan, reported.events),
        steps=steps,
        outputs={key: _awaited(job, step.node_handle) for key, step in steps.items()},
        assets=_assets(plan),
    )


def _assets(plan: Plan) -> dict[str, tuple[AssetKey, tuple[AssetKey, ...]]]:
    name = names.dagster_name(plan.agent.name)
    return {
        step.name: (
            AssetKey([name, step.name]),
            tuple(sorted(AssetKey([name, parent]) for parent in step.asset_parents)),
        )
        for step in asset_steps(plan)
    }


def _awaited(job: JobDefinition, node: NodeHandle) -> frozenset[str]:
    """The outputs of a node for whose sake Dagster makes an asset."""
    op, assets = job.get_op(node), job.asset_layer
    if assets.get_assets_def_for_node(node) is None:
        return frozenset(op.output_dict)
    return frozenset(
        name for name in op.output_dict if assets.downstream_dep_assets_and_checks(node, name)
    )


class _Reported:
    """In an instance's place: keeps what is reported to it."""

    def __init__(self) -> None:
        self.events: list[DagsterEvent] = []

    def report_dagster_event(self, event: DagsterEvent, *about: object, **more: object) -> None:
        del about, more
        self.events.append(event)
