"""`logic.if`: one of two ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    from agentflow_dagster.spec.kind import RawConfig

THEN, ELSE = "then", "else"
"""Not `true` and `false`: `after: [x.then]` says which way it is, and YAML keeps the other two."""


class IfConfig(KindConfig):
    """What is judged."""

    condition: bool = Field(description="An expression that is true or false.")


class If(Kind[IfConfig]):
    """Leaves by `then` where the condition holds, else by `else`."""

    name = "logic.if"
    summary = "Takes one of two ways, as a condition says."
    example = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: refund}
spec:
  inputs: {type: object, required: [amount], properties: {amount: {type: number}}}
  nodes:
    large: {kind: logic.if, with: {condition: "{{input.amount >= 500.0}}"}}
    ask:
      kind: ai.chat
      after: [large.then]
      with: {prompt: "Ask for a manager's consent to {{input.amount}}."}
    pay:
      kind: ai.chat
      after: [large.else]
      with: {prompt: "Say that {{input.amount}} is paid out."}
    done: {kind: logic.merge, join: any, with: {from: [ask, pay]}}
  outputs: {text: "{{done.output.text}}"}
"""
    config = IfConfig
    asset = False

    def ports(self, config: RawConfig) -> tuple[str, ...]:
        return (THEN, ELSE)

    async def run(self, context: NodeContext, config: IfConfig) -> NodeResult:
        return NodeResult(port=THEN if config.condition else ELSE)
