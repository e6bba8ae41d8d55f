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
    in_process_executor,
)
from dagster._core.definitions.dependency import NodeInvocation

from agentflow_dagster.orchestration import names, references, wiring
from agentflow_dagster.orchestration.input_config import STEP_CONFIG, input_mapping
from agentflow_dagster.orchestration.op import op_body
from agentflow_dagster.spec.units import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

    from agentflow_dagster.graph.plan import Plan, PlanStep
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
    assets: AssetsDefinition
    job: UnresolvedAssetJobDefinition


def compile_agent(
    plan: Plan, version: Version, kinds: Mapping[str, Kind[KindConfig]]
) -> CompiledAgent:
    """Compiles one version of an agent."""
    name = names.dagster_name(plan.agent.name)
    assets = AssetsDefinition(
        node_def=_graph(plan, kinds),
        keys_by_input_name={},
        keys_by_output_name={s.name: AssetKey([name, s.name]) for s in plan.steps if s.asset},
        specs=[_spec(plan, step, version) for step in plan.steps if step.asset],
        can_subset=True,
    )
    label = f"v{version.number}" if version.number else f"working file {version.hash[:12]}"
    job = define_asset_job(
        names.job_name(plan.agent.name),
        selection=AssetSelection.assets(assets),
        description=f"{plan.agent.metadata.description}\n\nVersion: {label}".strip(),
        tags=names.run_tags(plan, version.hash),
        executor_def=in_process_executor,
    )
    return CompiledAgent(version, plan, assets, job)


def _graph(plan: Plan, kinds: Mapping[str, Kind[KindConfig]]) -> GraphDefinition:
    agent = names.dagster_name(plan.agent.name)
    ops: list[OpDefinition] = []
    wired: dict[NodeInvocation, Any] = {}
    for step in plan.steps:
        inputs = wiring.dependencies(plan, step)
        ops.append(_op(plan, step, kinds, list(inputs)))
        wired[NodeInvocation(f"{agent}__{step.name}", alias=step.name)] = inputs
    return GraphDefinition(
        name=agent,
        description=plan.agent.metadata.description,
        node_defs=ops,
        dependencies=wired,
        config=input_mapping(plan),
        output_mappings=[
            OutputMapping(
                graph_output_name=step.name,
                mapped_node_name=step.name,
                mapped_node_output_name="result",
            )
            for step in plan.steps
            if step.asset
        ],
    )


def _op(
    plan: Plan, step: PlanStep, kinds: Mapping[str, Kind[KindConfig]], inputs: list[str]
) -> OpDefinition:
    return OpDefinition(
        op_body(plan, step, kinds),
        name=f"{names.dagster_name(plan.agent.name)}__{step.name}",
        description=step.node.description or kinds[step.node.kind].summary,
        ins=wiring.input_definitions(inputs),
        outs={port: Out(Nothing, is_required=False) for port in step.ports},
        config_schema=STEP_CONFIG,
        required_resource_keys=set(names.RUN_RESOURCES),
        retry_policy=_retry_policy(step.retry),
        tags={"agentflow/kind": step.node.kind},
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


def _spec(plan: Plan, step: PlanStep, version: Version) -> AssetSpec:
    name = names.dagster_name(plan.agent.name)
    return AssetSpec(
        AssetKey([name, step.name]),
        deps=[AssetDep(AssetKey([name, parent])) for parent in step.asset_parents],
        code_version=step.code_version,
        group_name=name,
        kinds={step.node.kind.partition(".")[0], "agentflow"},
        owners=names.owners(plan),
        tags={"agentflow/node": step.name, "agentflow/kind": step.node.kind},
        description=step.node.description or None,
        metadata=references.code_references(version, step.name),
    )
