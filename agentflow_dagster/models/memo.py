"""The exact memo: what a kept reply depends on, and how it is kept."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from agentflow_dagster.ports.model import ModelReply, ToolCall, Usage

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.spec.values import JsonObject


def memo_key(request: ModelRequest, model: str) -> str:
    """sha256 (hex) of all that the answer depends on.

    Args:
        request: The call; its `memo` has the node's version, and which of equal calls it is.
        model: Who is asked first.
    """
    told = [
        model,
        request.memo,
        [
            [
                message.role,
                message.content,
                [[i.media_type, hashlib.sha256(i.data).hexdigest()] for i in message.images],
                [[call.id, call.name, call.arguments] for call in message.tool_calls],
                message.tool_call_id,
            ]
            for message in request.messages
        ],
        [[tool.name, tool.description, tool.parameters] for tool in request.tools],
        request.output_schema,
        [request.temperature, request.max_tokens, request.tool_choice],
    ]
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def kept_form(reply: ModelReply) -> JsonObject:
    """A reply, as it is kept."""
    return {
        "text": reply.text,
        "output": reply.output,
        "tool_calls": [[call.id, call.name, call.arguments] for call in reply.tool_calls],
        "model": reply.usage.model,
        "provider": reply.usage.provider,
        "tokens_in": reply.usage.tokens_in,
        "tokens_out": reply.usage.tokens_out,
    }


def from_kept(kept: JsonObject, latency_ms: float) -> ModelReply:
    """A reply that was kept: it costs nothing, and says so.

    Args:
        kept: As `kept_form` has it.
        latency_ms: Milliseconds that it took to find.
    """
    calls = cast("list[list[object]]", kept["tool_calls"])
    usage = Usage(
        tokens_in=0,
        tokens_out=0,
        cost_usd=Decimal(0),
        latency_ms=latency_ms,
        model=str(kept["model"]),
        provider=str(kept["provider"]),
        memo=True,
        reason=f"kept from before ({kept['tokens_in']} and {kept['tokens_out']} tokens spared)",
    )
    return ModelReply(
        text=str(kept["text"]),
        output=kept["output"],
        usage=usage,
        tool_calls=tuple(
            ToolCall(str(id_), str(name), cast("JsonObject", arguments))
            for id_, name, arguments in calls
        ),
    )
