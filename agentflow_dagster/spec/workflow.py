"""`kind: Workflow`: agents by image, in an order; sugar for an agent of `agent.run` nodes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from agentflow_dagster.spec.demands import Limits, LLMRouting, ModelName, Resources, Word
from agentflow_dagster.spec.document import AgentName, Config, Metadata, Retry
from agentflow_dagster.spec.element import Element
from agentflow_dagster.spec.triggers import Webhook
from agentflow_dagster.spec.units import Duration


class WorkflowLLM(Element):
    """Which model answers the agent's calls."""

    provider: Word | None = Field(default=None, description="openai, anthropic, local …")
    model: ModelName
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)


class WorkflowResources(Resources):
    """What one agent may take of the machine, and how long it may work."""

    timeout: Duration | None = Field(default=None, description="Limit of one attempt.")


class WorkflowAgent(Element):
    """One agent of a workflow."""

    name: AgentName
    image: Annotated[str, StringConstraints(min_length=1, max_length=255)] = Field(
        description="The agent that does the work: `agents/classifier:v1.2`."
    )
    llm: WorkflowLLM | None = None
    resources: WorkflowResources | None = None
    retry: Retry | None = None
    depends_on: tuple[AgentName, ...] = Field(
        default=(), description="Agents that it comes after, and whose outputs it is given."
    )
    limits: Limits | None = None


class WorkflowTrigger(Element):
    """One way in which a run starts: its input is the call's body, or `{scheduled_at}`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["webhook"]}, {"required": ["schedule"]}]}
    )

    webhook: Webhook | None = None
    schedule: Annotated[str, StringConstraints(max_length=100)] | None = Field(
        default=None, description="A cron line of five fields."
    )
    timezone: Annotated[str, StringConstraints(max_length=64)] = Field(
        default="UTC", description="That of `schedule`."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> WorkflowTrigger:
        if (self.webhook is None) is (self.schedule is None):
            raise ValueError("give exactly one of webhook, schedule")
        return self


class WorkflowSpec(Element):
    """The agents and how they run."""

    agents: tuple[WorkflowAgent, ...] = Field(min_length=1)
    triggers: tuple[WorkflowTrigger, ...] = ()
    config: Config = Config()
    llm_routing: LLMRouting | None = None


class Workflow(Element):
    """A whole workflow document."""

    api_version: Literal["agentflow.io/v1"]
    kind: Literal["Workflow"]
    metadata: Metadata
    spec: WorkflowSpec
