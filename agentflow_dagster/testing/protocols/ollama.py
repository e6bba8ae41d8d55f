"""Ollama's own protocol: `POST /api/chat` and `POST /api/generate`. Its `/v1` is OpenAI's."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.ports.model import Image, Message, ToolCall
from agentflow_dagster.testing.answers import Refusal
from agentflow_dagster.testing.protocols.asked import Asked
from agentflow_dagster.testing.protocols.openai import read_tools, role
from agentflow_dagster.testing.protocols.reading import (
    image,
    mapping,
    number,
    objects,
    text,
    whole_number,
)
from agentflow_dagster.testing.protocols.wire import Event, Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.spec.values import JsonObject, JsonValue
    from agentflow_dagster.testing.answers import Answer

_CREATED_AT = "2023-11-14T22:13:20Z"
_CAPABILITIES: list[JsonValue] = ["completion", "tools", "vision"]


class Ollama(Lines):
    """Lines of JSON. A call's arguments are an object always: where the model wrote none, the
    server fails. There is no filter; a reply that one would hold back is empty."""

    name = "ollama"

    def answers(self, path: str) -> bool:
        return path.endswith(("/api/chat", "/api/generate"))

    def aside(self, path: str) -> JsonObject | None:
        if path.endswith("/api/show"):
            return {
                "template": "{{ .Tools }}",
                "details": {"family": "llama"},
                "model_info": {"general.architecture": "llama", "llama.context_length": 8192},
                "capabilities": _CAPABILITIES,
            }
        return {"models": []} if path.endswith("/api/tags") else None

    def instead(self, answer: Answer) -> Refusal | None:
        broken = next((call for call in answer.calls if call.is_broken), None)
        if broken is None:
            return None
        return Refusal(500, f"error parsing tool call: raw='{broken.said}', err=unexpected end")

    def asked(self, provider: str, path: str, body: JsonObject) -> Asked:
        options = mapping(body.get("options"))
        if _is_chat(path):
            messages = [_message(message) for message in objects(body.get("messages"))]
        else:
            system = text(body.get("system"))
            messages = [Message("system", system)] if system else []
            images = _images(body.get("images"))
            messages.append(Message("user", text(body.get("prompt")), images=images))
        return Asked(
            provider=provider,
            protocol=self.name,
            model=text(body.get("model")),
            messages=tuple(messages),
            tools=read_tools(body.get("tools")),
            output_schema=mapping(body.get("format")) or None,
            # It streams unless it is told not to.
            stream=body.get("stream") is not False,
            max_tokens=whole_number(options.get("num_predict")),
            temperature=number(options.get("temperature")),
        )

    def whole(self, path: str, asked: Asked, answer: Answer) -> JsonObject:
        said = _said(path, answer.text, _calls(answer))
        return {**_head(asked, answer), **said, **_ending(answer)}

    def stream(self, path: str, asked: Asked, answer: Answer) -> Sequence[Event]:
        head: JsonObject = {**_head(asked, answer), "done": False}
        events = [Event({**head, **_said(path, piece, [])}) for piece in answer.pieces]
        events += [Event({**head, **_said(path, "", [call])}) for call in _calls(answer)]
        last = {**_head(asked, answer), **_said(path, "", []), **_ending(answer)}
        return [*events, Event(last)]

    def nothing(self, path: str, asked: Asked, answer: Answer) -> JsonObject:
        return {**_head(asked, answer), **_said(path, "", []), **_ending(answer)}

    def nothing_streamed(self, path: str, asked: Asked, answer: Answer) -> Sequence[Event]:
        return [Event(self.nothing(path, asked, answer))]

    def error(self, status: int, message: str) -> JsonObject:
        return {"error": message}


def _is_chat(path: str) -> bool:
    return path.endswith("/api/chat")


def _head(asked: Asked, answer: Answer) -> JsonObject:
    return {"model": answer.model or asked.model, "created_at": _CREATED_AT}


def _said(path: str, said: str, calls: list[JsonObject]) -> JsonObject:
    if not _is_chat(path):
        return {"response": said}
    message: JsonObject = {"role": "assistant", "content": said}
    if calls:
        message["tool_calls"] = cast("list[JsonValue]", calls)
    return {"message": message}


def _calls(answer: Answer) -> list[JsonObject]:
    return [{"function": {"name": c.name, "arguments": c.arguments}} for c in answer.calls]


def _ending(answer: Answer) -> JsonObject:
    ending: JsonObject = {
        "done": True,
        "done_reason": "length" if answer.finish == "length" else "stop",
        "total_duration": 1_000_000,
    }
    if answer.usage:
        ending |= {"prompt_eval_count": answer.tokens_in, "eval_count": answer.tokens_out}
    return ending


def _images(images: JsonValue) -> tuple[Image, ...]:
    return tuple(image("", text(i)) for i in images) if isinstance(images, list) else ()


def _message(message: JsonObject) -> Message:
    calls = [mapping(call.get("function")) for call in objects(message.get("tool_calls"))]
    return Message(
        role=role(message),
        content=text(message.get("content")),
        images=_images(message.get("images")),
        tool_calls=tuple(
            ToolCall("", text(call.get("name")), mapping(call.get("arguments"))) for call in calls
        ),
        tool_call_id=text(message.get("tool_call_id")),
    )
