"""An agent's plan as Dagster definitions: one graph-backed, subsettable multi-asset and its job.

Every node is an op; the nodes that hold data are assets `[agent, node]`. Values travel by our own
store (docs/decisions/0001-values-by-our-store.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetDep,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    Backoff,
    GraphDefinition,
    Nothing,
    OpDefinition,
    Out,
    OutputMapping,
    RetryPolicy,
    define_asset_job,  # pyright: ignore[reportUnknownVariableType]
)
from dagster._core.definitions.dependency import NodeInvocation

from agentflow_dagster.orchestration import checks, names, partitions, references, wiring
from agentflow_dagster.orchestration.assets import asset_output, asset_steps, op_outputs
from agentflow_dagster.orchestration.input_config import input_mapping, part_mapping, step_config
from agentflow_dagster.orchestration.lanes import engine_tags
from agentflow_dagster.orchestration.op import op_body, start_body
from agentflow_dagster.orchestration.parts import AgentAssets, AgentGraph
from agentflow_dagster.orchestration.resuming import resuming_executor
from agentflow_dagster.spec.units import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dagster import JobDefinition, PartitionsDefinition
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

    from agentflow_dagster.graph.plan import Plan, PlanStep
    from agentflow_dagster.orchestration.child_runs import Peers
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.ports.stores import Version
    from agentflow_dagster.spec.document import Retry
    from agentflow_dagster.spec.kind import KindConfig

_BACKOFF = {"exponential": Backoff.EXPONENTIAL, "linear": Backoff.LINEAR, "fixed": None}


@dataclass(frozen=True, slots=True)
class CompiledAgent:
    """A version, its plan, and what Dagster gets of it."""

    version: Version
    plan: Plan
    assets: tuple[AssetsDefinition, ...]
    job: UnresolvedAssetJobDefinition | JobDefinition


def compile_agent(
    plan: Plan, version: Version, kinds: Mapping[str, Kind[KindConfig]], peers: Peers
) -> CompiledAgent:
    """Compiles one version of an agent.

    Args:
        plan: The version, checked.
        version: What is compiled.
        kinds: Every node kind known here.
        peers: The agents that it can run.
    """
    tags = {**names.run_tags(plan, version.hash), **engine_tags(plan, kinds)}
    graph = _graph(plan, kinds, tags, peers)
    label = f"v{version.number}" if version.number else f"working file {version.hash[:12]}"
    about = plan.agent.metadata
    description = f"{about.icon} {about.description}".strip() + f"\n\nVersion: {label}"
    if plan.agent.spec.lineage == "none":
        return CompiledAgent(version, plan, (), _op_job(plan, graph, description, tags))
    assets = _assets(plan, graph, kinds, version)
    job = define_asset_job(
        names.job_name(plan.agent.name),
        selection=AssetSelection.assets(assets),
        description=description,
        tags=tags,
        executor_def=resuming_executor,
    )
    return CompiledAgent(version, plan, (assets,), job)


def _assets(
    plan: Plan, graph: GraphDefinition, kinds: Mapping[str, Kind[KindConfig]], version: Version
) -> AssetsDefinition:
    name = names.dagster_name(plan.agent.name)
    return AgentAssets(
        node_def=graph,
        keys_by_input_name={},
        keys_by_output_name={
            names.allowed(step.name): AssetKey([name, step.name]) for step in asset_steps(plan)
        },
        specs=[_spec(plan, step, kinds[step.node.kind], version) for step in asset_steps(plan)],
        check_specs_by_output_name={
            output: spec
            for step in asset_steps(plan)
            for output, spec in checks.specs(plan, step, kinds[step.node.kind])
        },
        can_subset=True,
    )


def _op_job(
    plan: Plan, graph: GraphDefinition, description: str, tags: Mapping[str, str]
) -> JobDefinition:
    """A job without assets. The agent's graph stands inside another, where an asset job has it:
    config and step keys are the same in both."""
    name = names.job_name(plan.agent.name)
    around = GraphDefinition(f"{name}_graph", node_defs=[graph])
    return around.to_job(  # pyright: ignore[reportUnknownMemberType]
        name=name,
        description=description,
        tags=dict(tags),
        executor_def=resuming_executor,
        partitions_def=_partitions(plan),
    )


def _graph(
    plan: Plan, kinds: Mapping[str, Kind[KindConfig]], run_tags: Mapping[str, str], peers: Peers
) -> GraphDefinition:
    ops: list[OpDefinition] = []
    wired: dict[NodeInvocation, Any] = {}
    if wiring.needs_start(plan):
        ops.append(_start(plan))
        wired[NodeInvocation(ops[-1].name, alias=wiring.START)] = {}
    for step in plan.steps:
        inputs = wiring.dependencies(plan, step)
        body = op_body(plan, step, kinds, run_tags, peers=peers)
        ops.append(_op(plan, step, kinds[step.node.kind], body, inputs))
        wired[NodeInvocation(ops[-1].name, alias=names.allowed(step.name))] = inputs
    return AgentGraph(
        name=names.dagster_name(plan.agent.name),
        description=plan.agent.metadata.description,
        node_defs=ops,
        dependencies=wired,
        config=input_mapping(plan),
        part_config=part_mapping(plan),
        output_mappings=[
            OutputMapping(
                graph_output_name=names.allowed(step.name),
                mapped_node_name=names.allowed(step.name),
                mapped_node_output_name=asset_output(step),
            )
            for step in asset_steps(plan)
        ]
        + [
            OutputMapping(
                graph_output_name=output,
                mapped_node_name=names.allowed(step.name),
                mapped_node_output_name=output,
            )
            for step in asset_steps(plan)
            for output, _ in checks.specs(plan, step, kinds[step.node.kind])
        ],
    )


def _op(
    plan: Plan, step: PlanStep, kind: Kind[KindConfig], body: Any, inputs: Iterable[str]
) -> OpDefinition:
    return OpDefinition(
        body,
        name=f"{names.dagster_name(plan.agent.name)}__{step.name}",
        description=step.node.description or kind.describe(step.node.with_),
        ins=wiring.input_definitions(inputs),
        outs={
            name: Out(Nothing, is_required=False)
            for name in (
                *op_outputs(plan, step),
                *(output for output, _ in checks.specs(plan, step, kind)),
            )
        },
        config_schema=step_config(plan, step),
        required_resource_keys=set(names.RUN_RESOURCES),
        retry_policy=_retry_policy(step.retry),
        tags={names.KIND_TAG: step.node.kind},
        pool=names.pool_name(plan.agent.name),
    )


def _start(plan: Plan) -> OpDefinition:
    return OpDefinition(
        start_body,
        name=f"{names.dagster_name(plan.agent.name)}__{wiring.START}",
        description="Lets nodes run whose guarded reads find nothing.",
        outs={"result": Out(Nothing)},
        tags={names.KIND_TAG: wiring.START},
        pool=names.pool_name(plan.agent.name),
    )


def _retry_policy(retry: Retry | None) -> RetryPolicy | None:
    """Dagster counts retries, authors count attempts."""
    if retry is None or retry.max_attempts == 1:
        return None
    return RetryPolicy(
        max_retries=retry.max_attempts - 1,
        delay=seconds(retry.delay),
        backoff=_BACKOFF[retry.backoff],
    )


def _partitions(plan: Plan) -> PartitionsDefinition[str] | None:
    found = plan.agent.spec.partitions
    return partitions.definition(found) if found is not None else None


def _spec(plan: Plan, step: PlanStep, kind: Kind[KindConfig], version: Version) -> AssetSpec:
    name = names.dagster_name(plan.agent.name)
    return AssetSpec(
        AssetKey([name, step.name]),
        deps=[AssetDep(AssetKey([name, parent])) for parent in step.asset_parents],
        code_version=step.code_version,
        group_name=name,
        partitions_def=_partitions(plan),
        kinds={step.node.kind.partition(".")[0], "agentflow"},
        owners=names.owners(plan),
        tags=names.asset_tags(plan, step),
        # Without one of its own, Dagster would show the agent's.
        description=step.node.description or kind.describe(step.node.with_),
        metadata=references.code_references(version, step.name),
    )
