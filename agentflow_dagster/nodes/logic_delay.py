"""`logic.delay`: goes on after a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AwareDatetime, Field, model_validator

from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.waits import Asked
from agentflow_dagster.spec.kind import KindConfig
from agentflow_dagster.spec.units import Duration, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema


class DelayConfig(KindConfig):
    """How long, or until when."""

    for_: Duration | None = Field(default=None, alias="for", description="How long: `90s`, `14d`.")
    until: AwareDatetime | None = Field(
        default=None,
        description="When to go on, with its zone: `2027-01-01T09:00:00+01:00`; past, at once.",
    )

    @model_validator(mode="after")
    def _one(self) -> DelayConfig:
        if (self.for_ is None) == (self.until is None):
            raise ValueError("give either `for` or `until`")
        return self


class Delay(Kind[DelayConfig]):
    """Gives `{at}`: when it went on. The run waits without a process."""

    name = "logic.delay"
    summary = "Goes on after a time, seconds or weeks."
    example = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: reminder}
spec:
  inputs: {type: object, required: [task], properties: {task: {type: string}}}
  nodes:
    later: {kind: logic.delay, with: {for: 3d}}
    remind:
      kind: ai.chat
      after: [later]
      with: {prompt: "Remind somebody kindly of: {{input.task}}"}
  outputs: {text: "{{remind.output.text}}"}
"""
    config = DelayConfig
    asset = False
    waits = True

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        at: JsonSchema = {"type": "string", "format": "date-time"}
        return {"type": "object", "properties": {"at": at}, "required": ["at"]}

    async def run(self, context: NodeContext, config: DelayConfig) -> NodeResult:
        due: datetime | float
        if config.until is not None:
            due, told = config.until, {"until": config.until.isoformat()}
        else:
            assert config.for_ is not None
            due, told = seconds(config.for_), {"for": config.for_}
        answer = await context.waits.answer(Asked("timer", {**told}, due=due))
        return NodeResult({"at": answer.at.isoformat()})
