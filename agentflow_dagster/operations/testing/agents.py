"""Agents that tests run below each other, in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from agentflow_dagster.engine.agent_calls import call_input, require_end
from agentflow_dagster.engine.graph_run import run_graph
from agentflow_dagster.engine.outputs import agent_outputs
from agentflow_dagster.engine.step import Attempt
from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.agents import AgentOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.engine.step import Services
    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.ports.agents import AgentCall

    FindPlan: TypeAlias = "Callable[[str], Plan]"


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
        require_end(name, self._chain)
        given = call_input(plan, call)
        chain = (*self._chain, name)
        services = replace(
            self._services, agents=MemoryAgents(self._find, self._services, chain), stand_ins={}
        )
        begin = replace(
            Attempt.first(plan, given, run_id=call.key),
            llm=call.llm,
            memory_bytes=call.memory_bytes,
        )
        done = await run_graph(plan, plan.steps, begin, services)
        if done.failures:
            told = "; ".join(f"{node}: {failure}" for node, failure in done.failures.items())
            raise RunError(f"{name!r} failed: {told}")
        outputs = agent_outputs(
            plan.agent, call.key, given, done.outputs, self._services.environment
        )
        return AgentOutcome(call.key, outputs, done.usage)
