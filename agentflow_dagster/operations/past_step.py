"""A step of a past run as it was: its node, what it was given and what it gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agentflow_dagster.engine.scope import node_values
from agentflow_dagster.errors import RunError, UsageError
from agentflow_dagster.graph import templates
from agentflow_dagster.graph.check import plan_of
from agentflow_dagster.operations.stores import project_stores
from agentflow_dagster.orchestration.instance import write_instance
from agentflow_dagster.orchestration.past_run import past_run
from agentflow_dagster.spec.diagnostics import nearest
from agentflow_dagster.stores import database_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.orchestration.past_run import PastRun
    from agentflow_dagster.ports.stores import StepOutput, Version, VersionHash
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonObject, Value

HIDDEN = "•••"
"""What stands for a secret wherever a step is shown."""


@dataclass(frozen=True, slots=True)
class PastStep:
    """A step as it was.

    Args:
        run: Its run.
        version: What the run ran.
        plan: The same, ready to run.
        node: The node's name.
        config: The node's config with its expressions filled in, secrets apart; a field that could
            not be filled stands as it is written.
        output: What it left; None where it did not end, or was skipped.
    """

    run: PastRun
    version: Version
    plan: Plan
    node: str
    config: Mapping[str, Value]
    output: StepOutput | None

    @property
    def entry(self) -> JsonObject:
        """The node as the version's document has it."""
        spec = cast("JsonObject", self.version.document["spec"])
        return cast("JsonObject", cast("JsonObject", spec["nodes"])[self.node])

    @property
    def before(self) -> frozenset[str]:
        """The nodes that the step came after, directly or not."""
        sources = {step.name: {e.source for e in step.edges} for step in self.plan.steps}
        found, ahead = set[str](), set(sources[self.node])
        while ahead:
            found |= ahead
            ahead = {one for name in ahead for one in sources[name]} - found
        return frozenset(found)


def find_run(project: Project, kinds: Catalogue, run_id: str) -> tuple[PastRun, Version, Plan]:
    """A past run of an agent, and what it ran.

    Raises:
        UsageError: there is no such run, or nothing of it is kept.
    """
    folder = write_instance(project.make_home(), queued=True)
    # One opening of the stores keeps an embedded database up for both.
    with (
        project_stores(project) as stores,
        database_url(project.home, project.variables) as url,
    ):
        run = past_run(folder, url, stores.steps, run_id)
        version = stores.versions.get(cast("VersionHash", run.version))
    if version is None:
        raise UsageError(f"The version {run.version[:12]} of run {run.run_id} is not stored.")
    return run, version, plan_of(version.document, kinds)


def find_step(project: Project, kinds: Catalogue, run_id: str, node: str) -> PastStep:
    """A step of a past run.

    Args:
        project: Whose run it is.
        kinds: Every node kind known here.
        run_id: The run's id, or its first characters.
        node: A node of the agent that the run ran.

    Raises:
        UsageError: there is no such run or node, or nothing of it is kept.
    """
    run, version, plan = find_run(project, kinds, run_id)
    names = [step.name for step in plan.steps]
    if node not in names:
        hint = nearest(node, names)
        raise UsageError(f"{run.agent!r} had no node {node!r} in run {run.run_id}.", hint=hint)
    step = plan.step(node)
    config = kinds[step.node.kind].templated(step.node.with_)
    scope = _scope(project, run, plan)
    filled = {name: _filled(value, scope) for name, value in config.items()}
    filled = {**cast("Mapping[str, Value]", step.node.with_), **filled}
    return PastStep(run, version, plan, node, filled, run.outputs.get(node))


def _filled(value: object, scope: Mapping[str, Value]) -> Value:
    try:
        return templates.fill(cast("str", value), scope)
    except RunError:
        return cast("Value", value)


def _scope(project: Project, run: PastRun, plan: Plan) -> dict[str, Value]:
    spec = plan.agent.spec
    return {
        **node_values(spec.nodes, run.outputs),
        "input": cast("Value", run.input),
        "run": cast("Value", {**run.partition, "id": run.run_id, "agent": plan.agent.name}),
        "env": {n: project.variables[n] for n in spec.env if n in project.variables},
        "secret": dict.fromkeys(spec.secrets, HIDDEN),
    }
