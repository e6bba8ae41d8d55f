"""Makes a checked reply of what a model said, or says what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models.call_failures import CallFailed
from agentflow_dagster.ports.model import Message, ModelReply, ToolCall

if TYPE_CHECKING:
    from agentflow_dagster.models.calling import Answer, RawToolCall
    from agentflow_dagster.models.choice import Choice
    from agentflow_dagster.models.structured import Reply
    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.spec.values import JsonObject, JsonValue

MOST_REPAIRS = 2
"""How often a model is told what is wrong with its reply."""


def checked(answer: Answer, reply: Reply | None, choice: Choice) -> ModelReply:
    """The reply, as whoever asked gets it.

    Raises:
        CallFailed: it does not meet its schema, or calls a tool with what is no JSON object.
    """
    try:
        calls = tuple(_tool_call(call) for call in answer.tool_calls)
        output: JsonValue = None
        if reply is not None and not calls:
            output = reply.read(answer.text)
    except ValueError as error:
        raise CallFailed(
            ModelError(
                f"The reply of {choice.name} does not meet its schema: {error}.",
                model=choice.model,
                provider=choice.provider,
                hint="It was cut off: raise max_tokens." if answer.cut else "",
            ),
            outcome="invalid",
            usage=answer.usage,
            again=not answer.cut,
        ) from None
    return ModelReply(answer.text, output, answer.usage, calls)


def repaired(request: ModelRequest, answer: Answer, failure: CallFailed) -> ModelRequest:
    """The call, made again with what was said and what is wrong with it."""
    said = answer.text or "\n".join(f"{c.name}({c.arguments})" for c in answer.tool_calls)
    wrong = failure.error.message.partition(": ")[2] or failure.error.message
    again = (
        Message("assistant", said),
        Message("user", f"That cannot be used: {wrong} Answer again, with the whole answer."),
    )
    return replace(request, messages=(*request.messages, *again))


def _tool_call(call: RawToolCall) -> ToolCall:
    try:
        arguments = json.loads(call.arguments or "{}")
    except json.JSONDecodeError as error:
        raise ValueError(f"it calls {call.name!r} with what is no JSON ({error.msg})") from None
    if not isinstance(arguments, dict):
        raise ValueError(f"it calls {call.name!r} with what is no JSON object")
    return ToolCall(call.id, call.name, cast("JsonObject", arguments))
