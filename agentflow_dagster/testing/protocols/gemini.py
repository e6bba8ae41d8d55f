"""Google's protocol: `POST …/models/NAME:generateContent` and `:streamGenerateContent?alt=sse`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.ports.model import Message, ToolCall, ToolSpec
from agentflow_dagster.testing.protocols.asked import Asked
from agentflow_dagster.testing.protocols.reading import (
    image,
    mapping,
    number,
    objects,
    text,
    whole_number,
)
from agentflow_dagster.testing.protocols.wire import Event, WireProtocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue
    from agentflow_dagster.testing.answers import Answer

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
_CHOICES = {"ANY": "required", "NONE": "none"}


class Gemini(WireProtocol):
    """Candidates of parts. A call's arguments are an object always, and come in one piece; where
    the model wrote none, the reply says `MALFORMED_FUNCTION_CALL` and has no parts."""

    name = "gemini"

    def answers(self, path: str) -> bool:
        return path.endswith((":generateContent", ":streamGenerateContent"))

    def asked(self, provider: str, path: str, body: JsonObject) -> Asked:
        messages = [m for told in objects(body.get("contents")) for m in _messages(told)]
        system = mapping(_either(body, "system_instruction", "systemInstruction"))
        if said := _said(objects(system.get("parts"))):
            messages.insert(0, Message("system", said))
        settings = mapping(_either(body, "generationConfig", "generation_config"))
        calling = mapping(
            mapping(_either(body, "toolConfig", "tool_config")).get("functionCallingConfig")
        )
        return Asked(
            provider=provider,
            protocol=self.name,
            model=path.rpartition("/models/")[2].rpartition(":")[0],
            messages=tuple(messages),
            tools=tuple(_tools(body)),
            tool_choice=_CHOICES.get(text(calling.get("mode")), "auto"),
            output_schema=_schema(settings),
            stream=path.endswith(":streamGenerateContent"),
            max_tokens=whole_number(_either(settings, "maxOutputTokens", "max_output_tokens")),
            temperature=number(settings.get("temperature")),
        )

    def whole(self, path: str, asked: Asked, answer: Answer) -> JsonObject:
        said: list[JsonObject] = [{"text": answer.text}] if answer.text else []
        return _reply(asked, answer, [*said, *_calls(answer)], last=True)

    def stream(self, path: str, asked: Asked, answer: Answer) -> Sequence[Event]:
        said: list[JsonObject] = [{"text": piece} for piece in answer.pieces]
        parts = [*said, *_calls(answer)]
        whole = [_reply(asked, answer, [part], last=False) for part in parts[:-1]]
        return [Event(r) for r in (*whole, _reply(asked, answer, parts[-1:], last=True))]

    def nothing(self, path: str, asked: Asked, answer: Answer) -> JsonObject:
        return {"usageMetadata": _usage(answer), "modelVersion": answer.model or asked.model}

    def nothing_streamed(self, path: str, asked: Asked, answer: Answer) -> Sequence[Event]:
        return [Event(self.nothing(path, asked, answer))]

    def error(self, status: int, message: str) -> JsonObject:
        name = _STATUS.get(status, "INTERNAL")
        return {"error": {"code": status, "message": message, "status": name}}

    def error_event(self, message: str) -> Event:
        return Event(self.error(500, message))


def _calls(answer: Answer) -> list[JsonObject]:
    # An id is given back with the answer where a call has one; the protocol itself wants none.
    return [
        {"functionCall": {"name": call.name, "args": call.arguments}}
        for call in answer.calls
        if not call.is_broken
    ]


def _reply(asked: Asked, answer: Answer, parts: list[JsonObject], *, last: bool) -> JsonObject:
    candidate: JsonObject = {"index": 0}
    if parts:
        candidate["content"] = {"role": "model", "parts": cast("list[JsonValue]", parts)}
    if last:
        broken = any(call.is_broken for call in answer.calls)
        reason = "MALFORMED_FUNCTION_CALL" if broken else _FINISH[answer.finish]
        candidate["finishReason"] = reason
    reply: JsonObject = {
        "candidates": [candidate],
        "modelVersion": answer.model or asked.model,
        "responseId": "response-1",
    }
    if answer.usage:
        reply["usageMetadata"] = _usage(answer)
    return reply


def _usage(answer: Answer) -> JsonObject:
    return {
        "promptTokenCount": answer.tokens_in,
        "cachedContentTokenCount": answer.tokens_cached,
        # What was thought is counted apart here.
        "candidatesTokenCount": answer.tokens_out - answer.tokens_reasoning,
        "thoughtsTokenCount": answer.tokens_reasoning,
        "totalTokenCount": answer.tokens_in + answer.tokens_out,
    }


def _either(body: JsonObject, first: str, second: str) -> JsonValue:
    return body.get(first, body.get(second))


def _schema(settings: JsonObject) -> JsonSchema | None:
    names = ("responseJsonSchema", "response_json_schema", "responseSchema", "response_schema")
    return next((mapping(settings[name]) for name in names if settings.get(name)), None)


def _tools(body: JsonObject) -> list[ToolSpec]:
    return [
        ToolSpec(
            text(tool.get("name")),
            text(tool.get("description")),
            mapping(_either(tool, "parameters", "parametersJsonSchema")),
        )
        for group in objects(body.get("tools"))
        for tool in objects(_either(group, "function_declarations", "functionDeclarations"))
    ]


def _said(parts: list[JsonObject]) -> str:
    return "".join(text(part.get("text")) for part in parts)


def _messages(told: JsonObject) -> list[Message]:
    parts = objects(told.get("parts"))
    messages: list[Message] = []
    for part in parts:
        if answer := mapping(_either(part, "function_response", "functionResponse")):
            value = mapping(answer.get("response"))
            said = text(value.get("content")) or text(value.get("result")) or str(value)
            messages.append(Message("tool", said, tool_call_id=text(answer.get("name"))))
    calls = [mapping(_either(part, "function_call", "functionCall")) for part in parts]
    shown = [mapping(_either(part, "inline_data", "inlineData")) for part in parts]
    images = tuple(
        image(text(_either(found, "mime_type", "mimeType")), text(found.get("data")))
        for found in shown
        if found
    )
    asked = tuple(
        ToolCall(text(call.get("id")), text(call.get("name")), mapping(call.get("args")))
        for call in calls
        if call
    )
    said = _said(parts)
    if said or images or asked or not messages:
        role = "assistant" if told.get("role") == "model" else "user"
        messages.append(Message(role, said, images=images, tool_calls=asked))
    return messages
