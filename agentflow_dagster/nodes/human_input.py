"""`human.input`: a person fills in a form."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import Field, JsonValue

from agentflow_dagster.errors import RunError
from agentflow_dagster.nodes.asking_people import AskConfig
from agentflow_dagster.nodes.schema_field import ObjectSchemaField
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.waits import Asked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, Value


class InputConfig(AskConfig):
    """What is to be filled in."""

    schema_: ObjectSchemaField = Field(
        alias="schema", description="JSON Schema of the answer; a form is made of it."
    )
    default: dict[str, JsonValue] | None = Field(
        default=None, description="The answer at the `deadline`; without it the step fails then."
    )


class Input(Kind[InputConfig]):
    """Gives what was answered, as its `schema` has it. The run waits without a process."""

    name = "human.input"
    summary = "Waits for a person to fill in a form."
    example = """\
reply:
  kind: human.input
  with:
    ask: "How shall we answer this? {{input.body}}"
    people: [support]
    schema:
      type: object
      required: [text]
      properties: {text: {type: string}, urgent: {type: boolean, default: false}}
    deadline: 4h
    default: {text: We will come back to you.}
"""
    config = InputConfig
    asset = False
    waits = True
    fixed = frozenset({"schema"})

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        schema = config.get("schema")
        return cast("JsonSchema", schema) if isinstance(schema, dict) else {}

    async def run(self, context: NodeContext, config: InputConfig) -> NodeResult:
        asked = Asked(
            "input",
            {"ask": config.ask, "show": config.show, "schema": config.schema_},
            due=config.due,
            people=config.people,
            escalations=config.escalations(),
        )
        answer = await context.waits.answer(asked)
        if answer.in_time:
            return NodeResult(answer.value)
        if config.default is None:
            raise RunError(
                f"Nobody has answered {context.path!r} within {config.deadline}.",
                hint="Give them longer, or a `default`.",
                retryable=False,
            )
        return NodeResult(cast("Value", config.default))
