"""In which lane a run is carried out.

The engine lane (`engine_lane/`) takes whole runs of agents whose steps wait more than they work.
All others have a process of their own, forked from the warm parent (`warm/`): parts of agents,
partitions, runs that go on where another failed, jobs that are no agent's, and steps that the
engine cannot carry out or that would hold it up.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, TypeAlias

from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.engine_lane.asking import engine_socket
from agentflow_dagster.orchestration.run_config import given_config
from agentflow_dagster.orchestration.warm.asking import warm_parent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dagster import DagsterRun

    from agentflow_dagster.graph.plan import Plan, PlanStep
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.spec.kind import KindConfig

Lane: TypeAlias = Literal["engine", "warm", "stock"]
"""`stock`: a new process that the code server starts, as Dagster has it by itself."""

_APART = frozenset({"agent.run", "code.notebook"})
_PARTITION_TAG = "dagster/partition"


def lane_of(run: DagsterRun) -> Lane:
    """Where a run is to be carried out: as its tag says, as far as it can be."""
    if engine_socket(os.environ) and is_the_engines(run):
        return "engine"
    said = run.tags.get(names.LANE_TAG)
    return "stock" if said == "stock" or warm_parent() is None else "warm"


def is_the_engines(run: DagsterRun) -> bool:
    """Whether the engine carries out a run where there is one."""
    return run.tags.get(names.LANE_TAG) not in {"warm", "stock"} and is_for_engine(run)


def engine_tags(plan: Plan, kinds: Mapping[str, Kind[KindConfig]]) -> dict[str, str]:
    """The tag of an agent's runs that says that the engine can take them; none where it cannot."""
    spec = plan.agent.spec
    if spec.lineage == "none" or spec.partitions is not None:
        return {}
    for step in _all_steps(plan.steps):
        if step.node.kind in _APART or kinds[step.node.kind].checks(step.node.with_):
            return {}
    return {names.ENGINE_TAG: "yes"}


def is_for_engine(run: DagsterRun) -> bool:
    """Whether the engine can take a run: a whole one of an agent that it can carry out."""
    tags = run.tags
    if names.ENGINE_TAG not in tags or names.VERSION_TAG not in tags:
        return False
    agent = tags.get(names.AGENT_TAG, "")
    whole = (
        run.job_name == names.job_name(agent)
        and run.parent_run_id is None
        and not run.asset_selection
        and not run.asset_check_selection
        and not run.op_selection
        and _PARTITION_TAG not in tags
        and names.SOURCE_RUN_TAG not in tags
    )
    return whole and "source_run" not in given_config(run, agent)


def _all_steps(steps: Sequence[PlanStep]) -> Iterator[PlanStep]:
    for step in steps:
        yield step
        for body in step.bodies.values():
            yield from _all_steps(body.steps)
