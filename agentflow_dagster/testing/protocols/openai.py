"""OpenAI's protocol, which Hugging Face, Ollama (`/v1`) and many others speak too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from agentflow_dagster.ports.model import Image, Message, ToolCall, ToolSpec
from agentflow_dagster.testing.answers import in_pieces
from agentflow_dagster.testing.protocols.asked import Asked
from agentflow_dagster.testing.protocols.reading import (
    data_url,
    mapping,
    number,
    objects,
    parsed,
    text,
    whole_number,
)
from agentflow_dagster.testing.protocols.wire import CREATED, Event, WireProtocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.spec.values import JsonObject, JsonValue
    from agentflow_dagster.testing.answers import Answer

_TYPES = {401: "authentication_error", 404: "invalid_request_error", 429: "rate_limit_exceeded"}
_DONE = Event("[DONE]")
Role = Literal["system", "user", "assistant", "tool"]


class OpenAI(WireProtocol):
    """`POST …/chat/completions` and `POST …/completions`."""

    name = "openai"

    def answers(self, path: str) -> bool:
        return path.endswith("/completions")

    def aside(self, path: str) -> JsonObject | None:
        return {"object": "list", "data": []} if path.endswith("/v1/models") else None

    def asked(self, provider: str, path: str, body: JsonObject) -> Asked:
        limits = (body.get("max_completion_tokens"), body.get("max_tokens"))
        shape = mapping(body.get("response_format"))
        schema = mapping(mapping(shape.get("json_schema")).get("schema"))
        prompt = body.get("prompt")
        messages = tuple(read_message(message) for message in objects(body.get("messages")))
        return Asked(
            provider=provider,
            protocol=self.name,
            model=text(body.get("model")),
            messages=messages if prompt is None else (Message("user", text(prompt)),),
            tools=read_tools(body.get("tools")),
            tool_choice=_choice(body.get("tool_choice")),
            output_schema=schema or None,
            stream=body.get("stream") is True,
            wants_usage=mapping(body.get("stream_options")).get("include_usage") is True,
            max_tokens=next((n for n in map(whole_number, limits) if n is not None), None),
            temperature=number(body.get("temperature")),
        )

    def whole(self, path: str, asked: Asked, answer: Answer) -> JsonObject:
        reply = _head(path, asked, answer, whole=True)
        finish = _finish(answer)
        if _is_chat(path):
            calls: list[JsonValue] = [
                tool_call(answer, index) for index in range(len(answer.calls))
            ]
            said: JsonObject = {"role": "assistant", "content": answer.text or None}
            message: JsonObject = {**said, "tool_calls": calls} if calls else said
            reply["choices"] = [{"index": 0, "message": message, "finish_reason": finish}]
        else:
            reply["choices"] = [{"index": 0, "text": answer.text, "finish_reason": finish}]
        if answer.usage:
            reply["usage"] = _usage(answer)
        return reply

    def stream(self, path: str, asked: Asked, answer: Answer) -> Sequence[Event]:
        if not _is_chat(path):
            deltas: list[JsonObject] = [{"text": piece} for piece in answer.pieces]
            last: JsonObject = {"text": ""}
        else:
            deltas = [{"delta": delta} for delta in _deltas(answer)]
            last = {"delta": {}}
        choices: list[JsonObject] = [
            *({"index": 0, **delta, "finish_reason": None} for delta in deltas),
            {"index": 0, **last, "finish_reason": _finish(answer)},
        ]
        head = _head(path, asked, answer, whole=False)
        events = [Event({**head, "choices": [choice]}) for choice in choices]
        if answer.usage and asked.wants_usage:
            events.append(Event({**head, "choices": [], "usage": _usage(answer)}))
        return [*events, _DONE]

    def nothing(self, path: str, asked: Asked, answer: Answer) -> JsonObject:
        return {
            **_head(path, asked, answer, whole=True),
            "choices": [],
            "usage": _usage(answer),
        }

    def nothing_streamed(self, path: str, asked: Asked, answer: Answer) -> Sequence[Event]:
        head = _head(path, asked, answer, whole=False)
        return [Event({**head, "choices": [], "usage": _usage(answer)}), _DONE]

    def error(self, status: int, message: str) -> JsonObject:
        kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def error_event(self, message: str) -> Event:
        return Event(self.error(500, message))


def read_message(message: JsonObject) -> Message:
    """A message of a conversation; Cohere writes them alike."""
    content = message.get("content")
    parts = objects(content)
    said = [text(part.get("text")) for part in parts] if parts else [text(content)]
    calls = [
        ToolCall(
            text(call.get("id")),
            text(mapping(call.get("function")).get("name")),
            parsed(text(mapping(call.get("function")).get("arguments"))),
        )
        for call in objects(message.get("tool_calls"))
    ]
    return Message(
        role=role(message),
        content="".join(said),
        images=tuple(_image(part) for part in parts if part.get("type") == "image_url"),
        tool_calls=tuple(calls),
        tool_call_id=text(message.get("tool_call_id")),
    )


def role(message: JsonObject) -> Role:
    """Whose turn it is; nobody's counts as the user's."""
    match message.get("role"):
        case "system" | "developer":
            return "system"
        case "assistant":
            return "assistant"
        case "tool":
            return "tool"
        case _:
            return "user"


def read_tools(tools: JsonValue) -> tuple[ToolSpec, ...]:
    """The tools that are offered; Ollama and Cohere write them alike."""
    functions = [mapping(tool.get("function")) for tool in objects(tools)]
    return tuple(
        ToolSpec(text(f.get("name")), text(f.get("description")), mapping(f.get("parameters")))
        for f in functions
    )


def tool_call(answer: Answer, index: int) -> JsonObject:
    """A call of a tool, as it stands in a whole reply."""
    call = answer.calls[index]
    function: JsonObject = {"name": call.name, "arguments": call.said}
    return {"id": call.id or f"call_{index + 1}", "type": "function", "function": function}


def _image(part: JsonObject) -> Image:
    shown = part.get("image_url")
    return data_url(text(shown) or text(mapping(shown).get("url")))


def _choice(choice: JsonValue) -> str:
    return text(choice) or text(mapping(mapping(choice).get("function")).get("name")) or "auto"


def _is_chat(path: str) -> bool:
    return path.endswith("/chat/completions")


def _head(path: str, asked: Asked, answer: Answer, *, whole: bool) -> JsonObject:
    made = ("chat.completion" if whole else "chat.completion.chunk") if _is_chat(path) else ""
    return {
        "id": "chatcmpl-1",
        "object": made or "text_completion",
        "created": CREATED,
        "model": answer.model or asked.model,
    }


def _deltas(answer: Answer) -> list[JsonObject]:
    deltas: list[JsonObject] = [{"role": "assistant", "content": ""}]
    deltas.extend({"content": piece} for piece in answer.pieces)
    for index, call in enumerate(answer.calls):
        opening: JsonObject = {"name": call.name, "arguments": ""}
        named: JsonObject = {"index": index, **tool_call(answer, index), "function": opening}
        deltas.append({"tool_calls": [named]})
        for piece in in_pieces(call.said):
            more: JsonObject = {"index": index, "function": {"arguments": piece}}
            deltas.append({"tool_calls": [more]})
    return deltas


def _finish(answer: Answer) -> str:
    return "tool_calls" if answer.calls and answer.finish == "stop" else answer.finish


def _usage(answer: Answer) -> JsonObject:
    return {
        "prompt_tokens": answer.tokens_in,
        "completion_tokens": answer.tokens_out,
        "total_tokens": answer.tokens_in + answer.tokens_out,
        "prompt_tokens_details": {"cached_tokens": answer.tokens_cached},
        "completion_tokens_details": {"reasoning_tokens": answer.tokens_reasoning},
    }
