"""`human.approval`: a person says yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from agentflow_dagster.errors import RunError
from agentflow_dagster.nodes.asking_people import AskConfig
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.waits import Asked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema

REJECTED = "rejected"


class ApprovalConfig(AskConfig):
    """What is to be approved."""

    on_deadline: Literal["reject", "approve", "fail"] = Field(
        default="reject", description="What its `deadline` means, where nobody has decided."
    )


class Approval(Kind[ApprovalConfig]):
    """Gives `{by, note, at}`: what comes after it runs once it is approved. Where it is rejected it
    leaves by `rejected`, and its value is read as `consent.rejected`. `by` is null where the
    deadline decided.

    What is approved is exactly what was shown: should the node be about something else when the run
    goes on, it asks again. The run waits without a process.
    """

    name = "human.approval"
    summary = "Waits for a person to approve or reject."
    example = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: refunds}
spec:
  inputs:
    type: object
    required: [customer, amount]
    properties: {customer: {type: string}, amount: {type: number}}
  nodes:
    consent:
      kind: human.approval
      with:
        ask: "Pay {{input.amount}} back to {{input.customer}}?"
        show: {customer: "{{input.customer}}", amount: "{{input.amount}}"}
        people: [mara, jonas]
        deadline: 2d
        escalate: [{after: 1d, to: [head-of-support]}]
    pay: {kind: ai.chat, after: [consent], with: {prompt: "Say that {{input.amount}} is paid."}}
    refuse:
      kind: ai.chat
      after: [consent.rejected]
      with: {prompt: "Refuse kindly. Reason: {{consent.rejected.note}}"}
    done: {kind: logic.merge, join: any, with: {from: [pay, refuse]}}
  outputs: {text: "{{done.output.text}}"}
"""
    config = ApprovalConfig
    asset = False
    waits = True

    def ports(self, config: RawConfig) -> tuple[str, ...]:
        return ("result", REJECTED)

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        return {
            "type": "object",
            "properties": {
                "by": {"type": ["string", "null"]},
                "note": {"type": "string"},
                "at": {"type": "string", "format": "date-time"},
            },
            "required": ["by", "note", "at"],
        }

    async def run(self, context: NodeContext, config: ApprovalConfig) -> NodeResult:
        asked = Asked(
            "approval",
            {"ask": config.ask, "show": config.show},
            due=config.due,
            people=config.people,
            escalations=config.escalations(),
        )
        answer = await context.waits.answer(asked)
        if not answer.in_time and config.on_deadline == "fail":
            raise RunError(
                f"Nobody has decided within {config.deadline} what {context.path!r} asks.",
                hint="Give them longer, or say under `onDeadline` what it means.",
                retryable=False,
            )
        approved = config.on_deadline == "approve"
        if answer.in_time:
            approved = isinstance(answer.value, dict) and answer.value.get("approved") is True
        told = {"by": answer.by, "note": answer.note, "at": answer.at.isoformat()}
        decided = f"by {answer.by}" if answer.by else "by its deadline"
        log = f"{'Approved' if approved else 'Rejected'} {decided}. {answer.note}".strip()
        return NodeResult({**told}, port="result" if approved else REJECTED, log=log)
