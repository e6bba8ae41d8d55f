"""A request in the words of LiteLLM, which are those of OpenAI's protocol."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentflow_dagster.models.catalogue import Entry
    from agentflow_dagster.models.choice import Choice
    from agentflow_dagster.models.structured import Reply
    from agentflow_dagster.ports.model import Image, Message, ModelRequest, ToolSpec

_MARKS_ITS_CACHE = frozenset({"anthropic"})
"""Providers that keep of a prompt what is marked, where others keep what they like."""


def call_of(
    request: ModelRequest, choice: Choice, entry: Entry, reply: Reply | None
) -> dict[str, object]:
    """The arguments of `litellm.acompletion`, but for the limit of time.

    Args:
        request: The call; its `max_tokens` is what is granted.
        choice, entry: The model.
        reply: How a checked reply is asked for.
    """
    messages = [_message(message) for message in request.messages]
    call: dict[str, object] = {
        "model": f"{choice.protocol}/{choice.model}",
        "api_key": choice.key,
        "api_base": choice.base,
        "api_version": choice.version,
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
    }
    if request.tools:
        call["tools"] = [_tool(tool) for tool in request.tools]
        call["tool_choice"] = request.tool_choice
    if reply is not None:
        if entry.json_schema and not request.tools:
            call["response_format"] = reply.response_format
        else:
            messages.insert(0, {"role": "system", "content": reply.instruction})
    if request.prompt_cache and entry.prompt_cache and choice.protocol in _MARKS_ITS_CACHE:
        _mark(messages)
    return {
        **{name: value for name, value in call.items() if value is not None},
        "messages": messages,
        "num_retries": 0,
        "max_retries": 0,
        "drop_params": True,
        # Given tools it imports a package that need not be there, to see whether they are MCP's.
        "_skip_mcp_handler": True,
        # No callback hears how it went: of streams LiteLLM writes its report also `unreported`.
        "no-log": True,
    }


def _message(message: Message) -> dict[str, Any]:
    told: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        told["content"] = [
            {"type": "text", "text": message.content},
            *({"type": "image_url", "image_url": {"url": _data_url(it)}} for it in message.images),
        ]
    if message.tool_calls:
        told["content"] = message.content or None
        told["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        told["tool_call_id"] = message.tool_call_id
    return told


def _data_url(image: Image) -> str:
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        },
    }


def _mark(messages: list[dict[str, Any]]) -> None:
    """Marks what is said before the conversation, and the conversation so far."""
    systems = [message for message in messages if message["role"] == "system"]
    for message in (*systems[-1:], messages[-1]):
        if isinstance(message["content"], str):
            text = {"type": "text", "text": message["content"]}
            message["content"] = [{**text, "cache_control": {"type": "ephemeral"}}]
