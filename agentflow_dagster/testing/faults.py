"""What providers do wrong, each as a reply to put into a script.

    with ModelServer([faults.rate_limited(seconds=2), Answer("Hello.")]) as server: ...

`EVERY` has one of each by name, for a test that must hold whatever goes wrong.

What LiteLLM (1.106) makes of them, as `tests/testing/test_faults.py` holds it. These look like
answers, and whoever calls LiteLLM must find them out:

- `malformed` in a stream: the broken piece, or all from there on, is left out, and the stream ends
  as an answer does. Only OpenAI's adapter and Ollama's older one raise.
- `empty`: no choices as a whole (OpenAI, Gemini, Hugging Face), or an empty text; `stop` streamed.
- `broken_arguments` come through as text that is no JSON; Anthropic's as a JSON string; Gemini's
  refusal to call as an empty text with `stop`.
- `filtered` is an empty text: with `content_filter`, but with `stop` of Ollama and Cohere.
- `cut_off` of Cohere, and of Ollama's `/api/generate`, says `stop` and not `length`.
- `usage_missing` is 0 tokens as a whole (OpenAI, Hugging Face), an internal error of Anthropic and
  Cohere, status 422 of Gemini; streams have figures that LiteLLM counted itself.

And these are errors of another kind than one would think:

- A stream of Gemini is opened by its first piece: refusals come from there, and Retry-After of
  them is lost. A stall in it never ends, whatever `timeout` says.
- Streams that break raise `MidStreamFallbackError` with status 500; Ollama's error in the middle
  has status 400. A body that is no JSON has status 422 of Gemini, 200 of Hugging Face.
- Cohere's Retry-After is lost always.
- OpenAI's 404 is a `BadRequestError`; Anthropic's 529 has status 500.
- No stream of Cohere's can be read: events have names, and those are taken for JSON.
- With `tools` it imports the package `mcp`, unless it is told `_skip_mcp_handler=True`.
- A model of Hugging Face has it ask huggingface.co for settings at calls, and says it costs 0.
  Names with `llama` or `command` have it fetch tokenizers to count, unless
  `litellm.disable_hf_tokenizer_download` is set.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from agentflow_dagster.testing.answers import Answer, Call, Damaged, Refusal, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.values import JsonObject


def rate_limited(*, seconds: float | None = None, until: datetime | None = None) -> Refusal:
    """429, with a Retry-After of seconds, or of a moment, or without one."""
    return Refusal(429, "Rate limit reached.", retry_after=until or seconds)


def server_error() -> Refusal:
    """500."""
    return Refusal(500, "Internal error.")


def overloaded() -> Refusal:
    """529, which is Anthropic's."""
    return Refusal(529, "Overloaded.")


def unauthorized() -> Refusal:
    """401."""
    return Refusal(401, "Invalid key.")


def not_found() -> Refusal:
    """404: there is no such model."""
    return Refusal(404, "No such model.")


def slow(answer: Answer | None = None, *, seconds: float) -> Answer:
    """An answer whose first byte comes after that many seconds."""
    from dataclasses import replace

    return replace(answer or Answer(), delay=seconds)


def stalled() -> Damaged:
    """Begins, and never goes on until the server stops."""
    return Damaged("stall")


def cut() -> Damaged:
    """The connection is closed in the middle."""
    return Damaged("cut")


def malformed() -> Damaged:
    """The body, or an event of the stream, is no JSON."""
    return Damaged("malformed")


def error_midway() -> Damaged:
    """The provider reports an error in the middle of the stream; 500 where there is none."""
    return Damaged("error")


def empty() -> Damaged:
    """A reply that holds no answer: no choices, no candidates, no content."""
    return Damaged("empty")


def wrong_schema() -> Answer:
    """JSON that meets no schema that asks for anything."""
    return Answer('{"unexpected": true}')


def broken_arguments(tool: str = "look_up") -> Answer:
    """A tool call whose arguments are no JSON. Where a protocol cannot carry that, what the
    provider does instead: Gemini says MALFORMED_FUNCTION_CALL, Ollama reports an error."""
    return Answer("", (Call(tool, '{"city": "Par'),))


def wrong_arguments(tool: str = "look_up", arguments: JsonObject | None = None) -> Answer:
    """A tool call whose arguments are JSON that misses the tool's schema."""
    return Answer("", (Call(tool, {"unexpected": True} if arguments is None else arguments),))


def unknown_tool() -> Answer:
    """A call of a tool that was not offered."""
    return Answer("", (Call("no_such_tool", {}),))


def usage_missing() -> Answer:
    """An answer without figures."""
    return Answer("The answer is four.", usage=False)


def filtered() -> Answer:
    """The provider's filter lets nothing through. Ollama has none: its reply is empty."""
    return Answer("", finish="content_filter")


def cut_off() -> Answer:
    """The limit of tokens was reached in the middle of a sentence."""
    return Answer('{"city": "Par', finish="length")


def overbilled(tokens_out: int = 100_000) -> Answer:
    """Bills more output than was asked for."""
    return Answer(tokens_out=tokens_out, obeys=False)


EVERY: Mapping[str, Reply] = MappingProxyType(
    {
        "rate_limited": rate_limited(),
        "rate_limited_seconds": rate_limited(seconds=2),
        "rate_limited_date": rate_limited(until=datetime(2100, 1, 1, tzinfo=UTC)),
        "server_error": server_error(),
        "overloaded": overloaded(),
        "unauthorized": unauthorized(),
        "not_found": not_found(),
        "slow": slow(seconds=0.3),
        "stalled": stalled(),
        "cut": cut(),
        "malformed": malformed(),
        "error_midway": error_midway(),
        "empty": empty(),
        "wrong_schema": wrong_schema(),
        "broken_arguments": broken_arguments(),
        "wrong_arguments": wrong_arguments(),
        "unknown_tool": unknown_tool(),
        "usage_missing": usage_missing(),
        "filtered": filtered(),
        "cut_off": cut_off(),
        "overbilled": overbilled(),
    }
)
"""One of each fault by name. `slow` takes 0.3 s."""
