"""What a provider that stands in for a real one is told to answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from agentflow_dagster.spec.values import JsonObject, JsonValue

Finish = Literal["stop", "length", "content_filter"]
"""Why a reply ends: it was said; it had no more tokens; the provider would not say it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that the answer asks for.

    Args:
        name: The tool's.
        arguments: An object; or text that stands where its JSON should, for a broken call.
        id: Made up by the server where it is "".
    """

    name: str
    arguments: JsonObject | str = field(default_factory=dict[str, "JsonValue"])
    id: str = ""

    @property
    def said(self) -> str:
        """The arguments as text."""
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(self.arguments, ensure_ascii=False)

    @property
    def is_broken(self) -> bool:
        """Whether the arguments are no JSON."""
        return isinstance(self.arguments, str)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Args:
        text: What the model says.
        calls: The tools that it wants called.
        tokens_in, tokens_out: Tokens as the provider counts them, cached and reasoning included.
        tokens_cached: Of `tokens_in`, those that were read from its cache.
        tokens_reasoning: Of `tokens_out`, those that were thought.
        usage: False leaves the figures out.
        finish: Why it ends.
        model: The name that answers; "" for the one asked for.
        delay: Seconds until the first byte.
        gap: Seconds between the pieces of a stream.
        obeys: Whether it keeps to the request's limit of tokens: it is cut off there then, and
            bills no more. False bills `tokens_out` whatever was asked.
    """

    text: str = "ok"
    calls: tuple[Call, ...] = ()
    tokens_in: int = 10
    tokens_out: int = 5
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    usage: bool = True
    finish: Finish = "stop"
    model: str = ""
    delay: float = 0.0
    gap: float = 0.0
    obeys: bool = True

    def within(self, max_tokens: int | None) -> Answer:
        """The answer to a request of at most so many tokens of output."""
        if not self.obeys or max_tokens is None or self.tokens_out <= max_tokens:
            return self
        shown = self.text[: len(self.text) * max_tokens // self.tokens_out]
        return replace(self, text=shown, tokens_out=max_tokens, finish="length")

    @property
    def pieces(self) -> tuple[str, ...]:
        """The text as a stream brings it: words, and at least two pieces where it can be cut."""
        return in_pieces(self.text)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error status in the provider's own words; it bills nothing.

    Args:
        status: HTTP's.
        message: What it says.
        retry_after: Seconds, or the moment (with a time zone), of the header Retry-After.
        delay: Seconds until the first byte.
    """

    status: int
    message: str = "Sorry."
    retry_after: float | datetime | None = None
    delay: float = 0.0


Damage = Literal["stall", "cut", "malformed", "error", "empty"]
"""What befalls an answer: it stops in the middle and never goes on until the server stops; the
connection is closed in the middle; what is sent is no JSON; the provider reports an error in the
middle of a stream (of a whole answer: status 500); there is nothing in it."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """An answer that does not arrive as it should. It bills what the whole would.

    Args:
        damage: What befalls it.
        answer: What would have been said.
    """

    damage: Damage
    answer: Answer = field(default_factory=lambda: Answer("This is only the beginning."))


Reply: TypeAlias = Answer | Refusal | Damaged


def in_pieces(text: str) -> tuple[str, ...]:
    """A text cut between words, or in the middle of its only one; "" has no pieces."""
    words = re.findall(r"\S+\s*|\s+", text)
    if len(words) == 1 and len(text) > 1:
        return text[: len(text) // 2], text[len(text) // 2 :]
    return tuple(words)
