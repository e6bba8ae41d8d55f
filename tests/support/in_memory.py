"""Runs an agent in this process, without Dagster: its graph, its bodies, its retries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.engine.graph_run import GraphRun, run_graph
from agentflow_dagster.engine.secrets import EnvironmentSecrets
from agentflow_dagster.engine.step import Attempt, Services
from agentflow_dagster.graph.inputs import complete_input
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.ports.agents import NoAgents
from agentflow_dagster.ports.journal import MemoryJournal
from tests.support.contexts import SmallModel, SmallRunner
from tests.support.documents import plan

if TYPE_CHECKING:
    from agentflow_dagster.ports.agents import Agents
    from agentflow_dagster.ports.journal import Journal
    from agentflow_dagster.spec.values import JsonObject, Value


@dataclass
class InMemory:
    """What runs share: a journal outlives a run, as the store does."""

    model: SmallModel = field(default_factory=SmallModel)
    code: SmallRunner = field(default_factory=SmallRunner)
    agents: Agents = field(default_factory=NoAgents)
    journal: Journal = field(default_factory=MemoryJournal)

    async def run(self, document: JsonObject, input_: JsonObject | None = None) -> GraphRun:
        """Runs a document to its end."""
        agent = plan(document)
        services = Services(
            kinds=builtin_kinds(),
            model=self.model,
            code=self.code,
            secrets=EnvironmentSecrets({}),
            agents=self.agents,
        )
        input_ = complete_input(cast("Any", agent.agent.spec.inputs), input_ or {})
        begin = Attempt.first(agent, input_, run_id="run-1", journal=self.journal)
        return await run_graph(agent, agent.steps, begin, services)

    async def output(
        self, document: JsonObject, node: str, input_: JsonObject | None = None
    ) -> Value:
        """What a node put out in a run without a failure."""
        done = await self.run(document, input_)
        assert not done.failures, done.failures
        return done.outputs[node].value
