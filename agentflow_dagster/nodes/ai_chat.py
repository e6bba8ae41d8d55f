"""`ai.chat`: a model's answer to a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from agentflow_dagster.nodes.pictures import MOST, PICTURES, Picture, images
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema


class ChatConfig(KindConfig):
    """What is said to the model."""

    prompt: str = Field(min_length=1, description="What the user says.")
    system: str = Field(
        default="", description="How the model should behave, and what it should know."
    )
    images: tuple[Picture, ...] = Field(default=(), max_length=MOST, description=PICTURES)


class Chat(Kind[ChatConfig]):
    """Gives `{text}`."""

    name = "ai.chat"
    summary = "Asks a model and gives its answer as text."
    example = """\
draft:
  kind: ai.chat
  llm: {temperature: 0.2}
  with:
    system: You answer customers of a software company, briefly.
    prompt: "Reply to this ticket: {{input.body}}"
"""
    config = ChatConfig
    prose = "prompt"
    uses = frozenset({"llm"})

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        return {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
        }

    async def run(self, context: NodeContext, config: ChatConfig) -> NodeResult:
        system = (Message("system", config.system),) if config.system else ()
        asked = Message("user", config.prompt, await images(context, config.images))
        reply = await context.model.complete(
            ModelRequest(
                messages=(*system, asked),
                model=context.llm.model,
                temperature=context.llm.temperature,
                max_tokens=context.llm.max_tokens,
                timeout=context.timeout,
            )
        )
        return NodeResult({"text": reply.text}, usage=(reply.usage,))
