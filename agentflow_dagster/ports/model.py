"""A language model, as a node sees it: messages in, text or checked JSON out, usage counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from decimal import Decimal

    from agentflow_dagster.spec.values import JsonSchema, JsonValue


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call.

    Args:
        messages: Oldest first; at least one.
        model: A LiteLLM model name (`gpt-4o-mini`, `anthropic/claude-…`, `offline/extractive`);
            None takes the adapter's default.
        output_schema: JSON Schema that the reply must meet. A closed choice is written
            `{"anyOf": [{"const": name, "description": text}, …]}`, so that every provider,
            the offline one too, reads the same descriptions.
        temperature: 0 to 2; None leaves the provider's default.
        max_tokens: Most tokens of the reply; None leaves the provider's default.
        timeout: Seconds until the call is given up; None has no limit of its own.
    """

    messages: tuple[Message, ...]
    model: str | None = None
    output_schema: JsonSchema | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call took.

    Args:
        tokens_in, tokens_out: Tokens as the provider counted them.
        cost_usd: Price in USD; None where no price of the model is known.
        latency_ms: Milliseconds from request to reply.
        model, provider: Who really answered (`offline/extractive`, `offline`).
    """

    tokens_in: int
    tokens_out: int
    cost_usd: Decimal | None
    latency_ms: float
    model: str
    provider: str


@dataclass(frozen=True, slots=True)
class ModelReply:
    """The answer: `text` as it came; `output` parsed and checked where a schema was asked for."""

    text: str
    output: JsonValue
    usage: Usage


class Model(Protocol):
    """Answers requests."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answers one request.

        Raises:
            ModelError: the provider refused or failed, or its reply does not meet the schema.
        """
        ...
