"""`ai.extract`: the object of a JSON Schema that a text holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import Field

from agentflow_dagster.nodes.schema_field import ObjectSchemaField
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, Value

_ASKED = (
    "Extract from the user's text what the schema asks for, leaving out optional fields that the "
    "text says nothing about."
)


class ExtractConfig(KindConfig):
    """The text, and the shape of what is looked for in it."""

    text: str = Field(min_length=1, max_length=1_000_000, description="The text to read.")
    schema_: ObjectSchemaField = Field(
        alias="schema",
        description="JSON Schema of the object to give. Describe its fields: the model reads it.",
    )
    instructions: str = Field(
        default="", max_length=20_000, description="Anything more that the model should know."
    )


class Extract(Kind[ExtractConfig]):
    """Gives an object that meets `schema`, or fails."""

    name = "ai.extract"
    summary = "Finds the fields of a JSON Schema in a text."
    example = """\
invoice:
  kind: ai.extract
  with:
    text: "{{input.body}}"
    schema:
      type: object
      required: [total]
      properties:
        total: {type: number, description: the amount to pay}
        due: {type: string, format: date, description: when it is due}
"""
    config = ExtractConfig
    prose = "text"
    uses = frozenset({"llm"})
    fixed = frozenset({"schema"})

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        return cast("JsonSchema", config["schema"])

    async def run(self, context: NodeContext, config: ExtractConfig) -> NodeResult:
        # Under a heading, so that the offline model takes it for a request and not for the text.
        more = f"\n\nInstructions: {config.instructions}" if config.instructions else ""
        reply = await context.model.complete(
            ModelRequest(
                messages=(Message("system", f"{_ASKED}{more}"), Message("user", config.text)),
                model=context.llm.model,
                output_schema=config.schema_,
                temperature=0.0 if context.llm.temperature is None else context.llm.temperature,
                max_tokens=context.llm.max_tokens,
                timeout=context.timeout,
            )
        )
        return NodeResult(cast("Value", reply.output), usage=(reply.usage,))
