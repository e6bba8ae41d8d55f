"""Runs the bodies of one step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agentflow_dagster.engine.graph_run import run_graph
from agentflow_dagster.engine.scope import node_values
from agentflow_dagster.engine.step import Surroundings
from agentflow_dagster.graph.templates import fill
from agentflow_dagster.ports.bodies import BodyRun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.engine.graph_run import GraphRun
    from agentflow_dagster.engine.step import Attempt, Services
    from agentflow_dagster.errors import RunError
    from agentflow_dagster.graph.plan import Plan, PlanBody, PlanStep
    from agentflow_dagster.spec.values import JsonValue, Value


class StepBodies:
    """The bodies of a step, in one attempt of it.

    Args:
        plan, step, attempt, services: The attempt.
        scope: What the step's expressions know.
    """

    def __init__(
        self,
        plan: Plan,
        step: PlanStep,
        attempt: Attempt,
        services: Services,
        *,
        scope: Mapping[str, Value],
    ) -> None:
        self._plan = plan
        self._step = step
        self._attempt = attempt
        self._services = services
        self._scope = {name: value for name, value in scope.items() if name != "secret"}
        self._under_way = 0

    async def run(
        self, body: str, index: int | None, names: Mapping[str, Value], *, allowed: bool = False
    ) -> BodyRun:
        """Runs a body once; steps of it that an earlier attempt finished are not run again."""
        inside = self._step.bodies[body]
        # A loop's only body goes without saying.
        which = "" if body == "body" and index is not None else f".{body}"
        which += "" if index is None else f"[{index}]"
        around = self._attempt.surroundings
        surroundings = Surroundings(
            path=f"{around.path}{self._step.name}{which}.",
            nodes=tuple(step.name for step in inside.steps),
            values={**self._scope, **names},
            journal=around.journal,
        )
        begin = replace(self._attempt, surroundings=surroundings, allowed=allowed)
        done = await self._run(inside, begin)
        for name, failure in done.failures.items():
            raise _placed(failure, surroundings.path + name)
        nodes = node_values(surroundings.nodes, done.outputs)
        values = fill(dict(inside.outputs), {**surroundings.values, **nodes})
        assert isinstance(values, dict)
        return BodyRun(values, nodes, done.usage, done.runs)

    async def _run(self, inside: PlanBody, begin: Attempt) -> GraphRun:
        """Runs it; while bodies are under way it is their steps that are at work."""
        activity = begin.activity
        self._under_way += 1
        if self._under_way == 1:
            activity.leave()
        try:
            return await run_graph(self._plan, inside.steps, begin, self._services)
        finally:
            self._under_way -= 1
            if not self._under_way:
                activity.enter()

    def is_external(self, body: str) -> bool:
        """Whether anything in a body changes something outside."""
        return self._is_external(self._step.bodies[body])

    def _is_external(self, inside: PlanBody) -> bool:
        kinds = self._services.kinds
        return any(
            kinds[step.node.kind].effects == "external"
            or any(map(self._is_external, step.bodies.values()))
            for step in inside.steps
        )

    def evaluate(self, template: JsonValue, names: Mapping[str, Value]) -> Value:
        """Fills in the expressions of a config field that is evaluated around the bodies."""
        return fill(template, {**self._scope, **names})


def _placed(failure: RunError, path: str) -> RunError:
    """The failure, saying in which run of the body it was."""
    failure.message = f"{path}: {failure.message}"
    failure.args = (failure.message,)
    return failure
