"""What a request asks for, whatever protocol it came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import Message, ToolSpec
    from agentflow_dagster.spec.values import JsonSchema


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as a model understands it.

    Args:
        provider: Whose address it came to.
        protocol: `openai`, `anthropic`, `gemini`, `ollama` or `cohere`.
        model: The name asked for.
        messages: Oldest first; the system's stand first, wherever the protocol has them.
        tools: What may be called.
        tool_choice: `auto`, `required`, `none`, or the name of the one tool that must be called.
        output_schema: The JSON Schema that the reply must meet, where the protocol was used to say
            so; Anthropic's form with a forced tool counts.
        stream: Whether it is to come in pieces.
        wants_usage: Whether figures are to come with a stream; OpenAI's protocol asks.
        max_tokens: Most tokens of the reply.
        temperature: As asked for.
    """

    provider: str
    protocol: str
    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"
    output_schema: JsonSchema | None = None
    stream: bool = False
    wants_usage: bool = True
    max_tokens: int | None = None
    temperature: float | None = None

    @property
    def text(self) -> str:
        """What was said last."""
        return self.messages[-1].content if self.messages else ""
