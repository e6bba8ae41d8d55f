"""Agents that tests run below each other, in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, cast

from agentflow_dagster.engine.graph_run import run_graph
from agentflow_dagster.engine.outputs import agent_outputs
from agentflow_dagster.engine.step import Attempt
from agentflow_dagster.errors import RunError, UsageError
from agentflow_dagster.graph.inputs import complete_input
from agentflow_dagster.ports.agents import AgentOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.engine.step import Services
    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.ports.agents import AgentCall
    from agentflow_dagster.spec.values import JsonSchema

    FindPlan: TypeAlias = "Callable[[str], Plan]"

MAX_DEPTH = 5
"""How deep agents may run below each other, as in Dagster."""


class MemoryAgents:
    """Runs other agents in this process, each to its end.

    Args:
        find: The plan that a reference means; raises RunError where there is none.
        services: What the agents' own steps are given.
        chain: The agents above, the one that asks last.
    """

    def __init__(self, find: FindPlan, services: Services, chain: tuple[str, ...]) -> None:
        self._find = find
        self._services = services
        self._chain = chain

    async def run(self, call: AgentCall) -> AgentOutcome:
        plan = self._find(call.agent)
        name = plan.agent.name
        chain = (*self._chain, name)
        if name in self._chain:
            told = f"{name!r} would run itself: {' -> '.join(chain)}."
            raise RunError(told, hint="Let one of them do without the other.", retryable=False)
        if len(chain) > MAX_DEPTH:
            told = (
                f"Agents stand more than {MAX_DEPTH} deep below each other: {' -> '.join(chain)}."
            )
            raise RunError(told, hint="Make the chain of agents shorter.", retryable=False)
        try:
            given = complete_input(cast("JsonSchema", plan.agent.spec.inputs), call.input)
        except UsageError as problem:
            raise RunError(f"{call.agent!r}: {problem}", retryable=False) from None
        services = replace(
            self._services, agents=MemoryAgents(self._find, self._services, chain), stand_ins={}
        )
        begin = replace(Attempt.first(plan, given, run_id=call.key), llm=call.llm)
        done = await run_graph(plan, plan.steps, begin, services)
        if done.failures:
            told = "; ".join(f"{node}: {failure}" for node, failure in done.failures.items())
            raise RunError(f"{name!r} failed: {told}", retryable=False)
        outputs = agent_outputs(
            plan.agent, call.key, given, done.outputs, self._services.environment
        )
        return AgentOutcome(call.key, outputs, done.usage)
