"""`agent.run`: another agent, as a run of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, JsonValue, StringConstraints

from agentflow_dagster.ports.agents import AgentCall
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonObject, Value


class RunAgentConfig(KindConfig):
    """Which agent, and what it is given."""

    agent: Annotated[str, StringConstraints(min_length=1, max_length=255)] = Field(
        description="`name`, `name:3` or `agents/name:tag`; a deployed version is held to its "
        "digest, `name@sha256:…`."
    )
    input: dict[str, JsonValue] = Field(
        default_factory=dict[str, JsonValue], description="The run's input."
    )


class RunAgent(Kind[RunAgentConfig]):
    """Gives the agent's outputs."""

    name = "agent.run"
    summary = "Runs another agent, and gives its outputs."
    example = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: second-opinion}
spec:
  inputs: {type: object, required: [body], properties: {body: {type: string}}}
  nodes:
    sort:
      kind: agent.run
      with: {agent: "agents/classifier:v1.2", input: {input: {body: "{{input.body}}"}}}
      timeout: 60s
  outputs: {category: "{{sort.output.category}}"}
"""
    config = RunAgentConfig
    effects = "external"
    uses = frozenset({"own_llm", "memory"})
    fixed = frozenset({"agent"})

    def describe(self, config: RawConfig) -> str:
        agent = str(config.get("agent", "another agent")).partition("@")[0]
        return f"Runs {agent}, and gives its outputs."

    async def run(self, context: NodeContext, config: RunAgentConfig) -> NodeResult:
        input_: JsonObject = dict(config.input)
        done = await context.agents.run(
            AgentCall(
                agent=config.agent,
                input=input_,
                llm=context.llm,
                key=context.idempotency_key,
                run_id=context.run_id,
                node=context.path,
                memory_bytes=context.memory_bytes,
            )
        )
        output: Value = dict(done.outputs)
        return NodeResult(output, usage=done.usage, runs=(done.run_id,))
