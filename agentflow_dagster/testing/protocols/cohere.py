"""Cohere's protocol, version 2: `POST …/v2/chat`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.testing.answers import in_pieces
from agentflow_dagster.testing.protocols.asked import Asked
from agentflow_dagster.testing.protocols.openai import read_message, read_tools, tool_call
from agentflow_dagster.testing.protocols.reading import mapping, number, objects, text, whole_number
from agentflow_dagster.testing.protocols.wire import Event, WireProtocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.spec.values import JsonObject, JsonValue
    from agentflow_dagster.testing.answers import Answer

_FINISH = {"stop": "COMPLETE", "length": "MAX_TOKENS", "content_filter": "ERROR"}
_DONE = Event("[DONE]")
_CHOICES = {"REQUIRED": "required", "NONE": "none"}


class Cohere(WireProtocol):
    """Messages almost as OpenAI's, and events with names."""

    name = "cohere"

    def answers(self, path: str) -> bool:
        return path.endswith("/v2/chat")

    def asked(self, provider: str, path: str, body: JsonObject) -> Asked:
        shape = mapping(body.get("response_format"))
        return Asked(
            provider=provider,
            protocol=self.name,
            model=text(body.get("model")),
            messages=tuple(read_message(message) for message in objects(body.get("messages"))),
            tools=read_tools(body.get("tools")),
            tool_choice=_CHOICES.get(text(body.get("tool_choice")), "auto"),
            output_schema=mapping(shape.get("json_schema")) or mapping(shape.get("schema")) or None,
            stream=body.get("stream") is True,
            max_tokens=whole_number(body.get("max_tokens")),
            temperature=number(body.get("temperature")),
        )

    def whole(self, path: str, asked: Asked, answer: Answer) -> JsonObject:
        said: list[JsonValue] = [{"type": "text", "text": answer.text}] if answer.text else []
        message: JsonObject = {"role": "assistant", "content": said}
        if answer.calls:
            message["tool_calls"] = [tool_call(answer, i) for i in range(len(answer.calls))]
        reply: JsonObject = {"id": "reply-1", "message": message, **_ending(answer)}
        return reply

    def stream(self, path: str, asked: Asked, answer: Answer) -> Sequence[Event]:
        events = [_event("message-start", delta=_message(role="assistant", content=[]))]
        if answer.text:
            opening: JsonObject = {"type": "text", "text": ""}
            events.append(_event("content-start", index=0, delta=_message(content=opening)))
            events += [
                _event("content-delta", index=0, delta=_message(content={"text": piece}))
                for piece in answer.pieces
            ]
            events.append(_event("content-end", index=0))
        for index, call in enumerate(answer.calls):
            function: JsonObject = {"name": call.name, "arguments": ""}
            named: JsonObject = {**tool_call(answer, index), "function": function}
            events.append(_event("tool-call-start", index=index, delta=_message(tool_calls=named)))
            for piece in in_pieces(call.said):
                more: JsonObject = {"function": {"arguments": piece}}
                delta = _message(tool_calls=more)
                events.append(_event("tool-call-delta", index=index, delta=delta))
            events.append(_event("tool-call-end", index=index))
        return [*events, _event("message-end", delta=_ending(answer)), _DONE]

    def nothing(self, path: str, asked: Asked, answer: Answer) -> JsonObject:
        message: JsonObject = {"role": "assistant", "content": []}
        return {"id": "reply-1", "message": message, **_ending(answer)}

    def nothing_streamed(self, path: str, asked: Asked, answer: Answer) -> Sequence[Event]:
        opening = _message(role="assistant", content=[])
        return [
            _event("message-start", delta=opening),
            _event("message-end", delta=_ending(answer)),
            _DONE,
        ]

    def error(self, status: int, message: str) -> JsonObject:
        return {"id": "error-1", "message": message}

    def error_event(self, message: str) -> Event:
        """A stream that fails ends by a finish reason and the error beside it."""
        return _event("message-end", delta={"finish_reason": "ERROR", "error": message})


def _event(name: str, **data: JsonValue) -> Event:
    return Event({"type": name, **data}, name)


def _message(**fields: JsonValue) -> JsonObject:
    return {"message": fields}


def _ending(answer: Answer) -> JsonObject:
    finish = "TOOL_CALL" if answer.calls and answer.finish == "stop" else _FINISH[answer.finish]
    if not answer.usage:
        return {"finish_reason": finish}
    billed: JsonObject = {
        "input_tokens": answer.tokens_in - answer.tokens_cached,
        "output_tokens": answer.tokens_out,
    }
    tokens: JsonObject = {"input_tokens": answer.tokens_in, "output_tokens": answer.tokens_out}
    usage: JsonObject = {
        "billed_units": billed,
        "tokens": tokens,
        "cached_tokens": answer.tokens_cached,
    }
    return {"finish_reason": finish, "usage": usage}
