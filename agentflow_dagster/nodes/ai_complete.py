"""`ai.complete`: a model's continuation of a prompt, which is sent as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema

Stop = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class CompleteConfig(KindConfig):
    """The prompt, and where its completion ends."""

    prompt: str = Field(
        min_length=1,
        max_length=1_000_000,
        description="The text to complete; nothing is added to it.",
    )
    stop: tuple[Stop, ...] = Field(
        default=(),
        max_length=8,
        description="The completion is cut before the first of these texts.",
    )


class Complete(Kind[CompleteConfig]):
    """Gives `{text}`, cut before the first stop."""

    name = "ai.complete"
    summary = "Completes a prompt with a model, and gives the text."
    example = """\
slogan:
  kind: ai.complete
  with:
    prompt: "A slogan for {{input.product}}, then an empty line:"
    stop: ["\\n\\n"]
"""
    config = CompleteConfig
    prose = "prompt"
    uses = frozenset({"llm"})

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        return {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
        }

    async def run(self, context: NodeContext, config: CompleteConfig) -> NodeResult:
        reply = await context.model.complete(
            ModelRequest(
                messages=(Message("user", config.prompt),),
                model=context.llm.model,
                temperature=context.llm.temperature,
                max_tokens=context.llm.max_tokens,
                timeout=context.timeout,
            )
        )
        ends = [at for stop in config.stop if (at := reply.text.find(stop)) >= 0]
        text = reply.text[: min(ends)] if ends else reply.text
        return NodeResult({"text": text}, usage=(reply.usage,))
