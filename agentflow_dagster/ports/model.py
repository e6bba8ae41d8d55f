"""A language model, as a node sees it: messages in, text or checked JSON out, usage counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from decimal import Decimal

    from agentflow_dagster.ports.ledger import Caller
    from agentflow_dagster.spec.demands import LLMRouting, Needs
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that a message shows.

    Args:
        media_type: `image/png`, `image/jpeg`, `image/webp` or `image/gif`.
        data: Its bytes. There is no form with a URL: nobody is to fetch one on a document's behalf.
    """

    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called.

    Args:
        id: By which the answer names it.
        name: The tool's.
        arguments: They meet the tool's `parameters`.
    """

    id: str
    name: str
    arguments: JsonObject


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Args:
        role: Whose. `tool` is the answer to a call of the assistant's.
        content: What is said.
        images: What is shown beside it; of `user` alone.
        tool_calls: What the assistant wants called.
        tool_call_id: Of `tool`: which call it answers.
        tainted: It has text from outside (a tool's answer, a page, a document): data, whatever it
            says, and no instruction.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    images: tuple[Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    tainted: bool = False


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that the model may ask for.

    Args:
        name: Letters, digits, `_` and `-`; at most 64.
        description: When to call it; the model reads it.
        parameters: JSON Schema of its arguments, an object.
    """

    name: str
    description: str
    parameters: JsonSchema


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call.

    Args:
        messages: Oldest first; at least one.
        model: A LiteLLM model name (`gpt-4o-mini`, `anthropic/claude-…`, `offline/extractive`), or
            an alias; None takes the routing's, or the environment's default.
        output_schema: JSON Schema that the reply must meet. A closed choice is written
            `{"anyOf": [{"const": name, "description": text}, …]}`, so that every provider,
            the offline one too, reads the same descriptions.
        temperature: 0 to 2; None leaves the provider's default.
        max_tokens: Most tokens of the reply; None leaves the provider's default.
        timeout: Seconds until the call is given up, retries and fallbacks included; None has no
            limit of its own.
        tools: What the model may ask for.
        tool_choice: Whether it may, must, or must not ask for one.
        needs: What the call needs of a model, for the routing.
        routing: Which models answer which calls; None takes the project's.
        memo: Where a reply is kept for the same request asked again; "" asks anew.
        prompt_cache: Whether the provider is to keep what it has read of the messages, where it
            can.
        caller: Whose call it is; None where nobody is to be charged.
    """

    messages: tuple[Message, ...]
    model: str | None = None
    output_schema: JsonSchema | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: Literal["auto", "required", "none"] = "auto"
    needs: Needs | None = None
    routing: LLMRouting | None = None
    memo: str = ""
    prompt_cache: bool = False
    caller: Caller | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call took.

    Args:
        tokens_in, tokens_out: Tokens as the provider counted them.
        cost_usd: Price in USD; None where no price of the model is known.
        latency_ms: Milliseconds from request to reply.
        model, provider: Who really answered (`offline/extractive`, `offline`).
        tokens_cached: Of `tokens_in`, those that the provider had read before.
        tokens_reasoning: Of `tokens_out`, those that were thought and not said.
        counted: Whether we counted, because the provider gave no figures.
        memo: Whether the reply was kept from before, at no cost.
        first_token_ms: Milliseconds to the first piece of a streamed reply.
        reason: Why this model, and what had failed before it.
    """

    tokens_in: int
    tokens_out: int
    cost_usd: Decimal | None
    latency_ms: float
    model: str
    provider: str
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    counted: bool = False
    memo: bool = False
    first_token_ms: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ModelReply:
    """The answer.

    Args:
        text: As it came; "" where the model only calls tools.
        output: Parsed and checked, where a schema was asked for.
        usage: What the call that gave it took.
        tool_calls: What it wants called.
        failed: What calls took that gave no answer before: refused replies, other models.
    """

    text: str
    output: JsonValue
    usage: Usage
    tool_calls: tuple[ToolCall, ...] = ()
    failed: tuple[Usage, ...] = ()


class Listener(Protocol):
    """Hears a reply while it comes."""

    def text(self, piece: str) -> None:
        """The next piece of the text."""
        ...

    def again(self) -> None:
        """What was heard so far does not count: the reply begins anew, maybe by another model."""
        ...


class Model(Protocol):
    """Answers requests."""

    async def complete(self, request: ModelRequest, listener: Listener | None = None) -> ModelReply:
        """Answers one request.

        Args:
            request: What is asked.
            listener: Hears the reply while it comes; None asks for it as a whole.

        Raises:
            ModelError: every model that may answer refused or failed, or gave no reply that meets
                the schema.
            BudgetError: it might cost more than there is left to spend.
        """
        ...
