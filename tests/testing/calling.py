"""Calls of LiteLLM at a server that stands in for a provider."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentflow_dagster.models.litellm_loading import load_litellm

if TYPE_CHECKING:
    from agentflow_dagster.testing import ModelServer

MODELS = {
    "openai": "openai/gpt-4o-mini",
    "anthropic": "anthropic/claude-haiku-4-5",
    "gemini": "gemini/gemini-2.5-flash",
    "ollama": "ollama_chat/qwen3",
    "generate": "ollama/qwen3",
    "cohere": "cohere_chat/command-r-plus",
}
"""LiteLLM's model, by what is tried; `generate` is Ollama's older call."""

TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Looks a city up.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def provider_of(tried: str) -> str:
    return "ollama" if tried == "generate" else tried


@dataclass
class Got:
    """What came of a call: `error` has the status that LiteLLM raised with."""

    text: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    finish: str = ""
    usage: Any = None
    error: int | None = None
    told: str = ""
    retry_after: str | None = None
    pieces: int = 0
    choices: int = 0


async def call(
    server: ModelServer,
    tried: str,
    *,
    stream: bool = False,
    model: str = "",
    messages: list[dict[str, Any]] | None = None,
    timeout: float = 20,  # noqa: ASYNC109 - it is LiteLLM's
    base: str = "",
    **options: Any,
) -> Got:
    """One call. `error` is 0 where a stream hung past its timeout."""
    library = load_litellm()
    got = Got()
    if stream:
        options["stream_options"] = {"include_usage": True}
    try:
        reply = await library.acompletion(
            model=model or MODELS[tried],
            messages=messages or [{"role": "user", "content": "Hello?"}],
            api_base=base or server.base(provider_of(tried)),
            api_key="test-key",
            stream=stream,
            timeout=timeout,
            max_retries=0,
            _skip_mcp_handler=True,
            **options,
        )
        if stream:
            await _collect(got, reply, timeout)
        else:
            _take(got, reply)
    except TimeoutError:
        got.error = 0
    except Exception as error:  # noqa: BLE001 - whatever it raises is what is looked at
        got.error = int(getattr(error, "status_code", -1))
        got.told = str(error)
        headers = getattr(error, "litellm_response_headers", None) or getattr(
            getattr(error, "response", None), "headers", {}
        )
        got.retry_after = headers.get("retry-after")
    return got


async def _collect(got: Got, stream: Any, timeout: float) -> None:  # noqa: ASYNC109
    calls: dict[int, list[str]] = {}
    async with asyncio.timeout(timeout * 2):
        async for chunk in stream:
            got.usage = getattr(chunk, "usage", None) or got.usage
            for choice in chunk.choices:
                got.choices += 1
                got.pieces += bool(choice.delta.content)
                got.text += choice.delta.content or ""
                got.finish = choice.finish_reason or got.finish
                for piece in choice.delta.tool_calls or []:
                    whole = calls.setdefault(len(calls) if piece.id else piece.index, ["", ""])
                    whole[0] += piece.function.name or ""
                    whole[1] += piece.function.arguments or ""
    got.calls = [(name, arguments) for name, arguments in calls.values()]


def _take(got: Got, reply: Any) -> None:
    got.usage = getattr(reply, "usage", None)
    got.choices = len(reply.choices)
    for choice in reply.choices:
        got.text = choice.message.content or ""
        got.finish = choice.finish_reason
        made = choice.message.tool_calls or []
        got.calls = [(one.function.name, one.function.arguments) for one in made]


def arguments(got: Got) -> list[Any]:
    return [json.loads(said) for _, said in got.calls]
