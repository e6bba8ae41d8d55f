"""Anthropic's protocol: `POST …/v1/messages`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.ports.model import Image, Message, ToolCall, ToolSpec
from agentflow_dagster.testing.answers import in_pieces
from agentflow_dagster.testing.protocols.asked import Asked
from agentflow_dagster.testing.protocols.reading import (
    image,
    mapping,
    number,
    objects,
    parsed,
    text,
    whole_number,
)
from agentflow_dagster.testing.protocols.wire import Event, WireProtocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.spec.values import JsonObject, JsonValue
    from agentflow_dagster.testing.answers import Answer

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_FINISH = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
_CHOICES = {"any": "required", "none": "none"}


class Anthropic(WireProtocol):
    """Messages of blocks. A forced tool is called with the answer's text as its arguments: so one
    asks for JSON of a schema here."""

    name = "anthropic"

    def answers(self, path: str) -> bool:
        return path.endswith("/v1/messages")

    def asked(self, provider: str, path: str, body: JsonObject) -> Asked:
        messages = [m for told in objects(body.get("messages")) for m in _messages(told)]
        if system := _said(body.get("system")):
            messages.insert(0, Message("system", system))
        tools = tuple(_tool(tool) for tool in objects(body.get("tools")))
        choice = mapping(body.get("tool_choice"))
        forced = text(choice.get("name"))
        shape = mapping(mapping(body.get("output_config")).get("format")) or mapping(
            body.get("output_format")
        )
        return Asked(
            provider=provider,
            protocol=self.name,
            model=text(body.get("model")),
            messages=tuple(messages),
            tools=tools,
            tool_choice=forced or _CHOICES.get(text(choice.get("type")), "auto"),
            output_schema=mapping(shape.get("schema"))
            or next((tool.parameters for tool in tools if tool.name == forced), None),
            stream=body.get("stream") is True,
            max_tokens=whole_number(body.get("max_tokens")),
            temperature=number(body.get("temperature")),
        )

    def whole(self, path: str, asked: Asked, answer: Answer) -> JsonObject:
        content: list[JsonValue] = [
            _filled(block, said) for block, said, _ in _blocks(asked, answer)
        ]
        message = _message(asked, answer, content)
        message["stop_reason"] = _finish(content, answer)
        if answer.usage:
            message["usage"] = {**_usage_in(answer), "output_tokens": answer.tokens_out}
        return message

    def stream(self, path: str, asked: Asked, answer: Answer) -> Sequence[Event]:
        opening = _message(asked, answer, [])
        if answer.usage:
            opening["usage"] = {**_usage_in(answer), "output_tokens": 1}
        blocks = _blocks(asked, answer)
        events = [_event("message_start", message=opening), _event("ping")]
        for index, (block, _, deltas) in enumerate(blocks):
            events.append(_event("content_block_start", index=index, content_block=block))
            events += [_event("content_block_delta", index=index, delta=d) for d in deltas]
            events.append(_event("content_block_stop", index=index))
        reason = _finish([block for block, _, _ in blocks], answer)
        ending: JsonObject = {"delta": {"stop_reason": reason, "stop_sequence": None}}
        if answer.usage:
            ending["usage"] = {"output_tokens": answer.tokens_out}
        return [*events, _event("message_delta", **ending), _event("message_stop")]

    def nothing(self, path: str, asked: Asked, answer: Answer) -> JsonObject:
        usage = {**_usage_in(answer), "output_tokens": answer.tokens_out}
        return {**_message(asked, answer, []), "stop_reason": "end_turn", "usage": usage}

    def nothing_streamed(self, path: str, asked: Asked, answer: Answer) -> Sequence[Event]:
        opening = _message(asked, answer, [])
        opening["usage"] = _usage_in(answer)
        ending: JsonObject = {"stop_reason": "end_turn", "stop_sequence": None}
        usage: JsonObject = {"output_tokens": answer.tokens_out}
        return [
            _event("message_start", message=opening),
            _event("message_delta", delta=ending, usage=usage),
            _event("message_stop"),
        ]

    def error(self, status: int, message: str) -> JsonObject:
        kind = _TYPES.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}}


def _event(name: str, **data: JsonValue) -> Event:
    return Event({"type": name, **data}, name)


_Block = tuple["JsonObject", str, "list[JsonObject]"]
"""A block as it opens, what is said in it, and the pieces in which it comes."""


def _blocks(asked: Asked, answer: Answer) -> list[_Block]:
    blocks: list[_Block] = []
    forced = next((tool.name for tool in asked.tools if tool.name == asked.tool_choice), "")
    if forced and not answer.calls and answer.finish == "stop":
        return [_tool_block(0, forced, "", answer.text)]
    if answer.text:
        deltas: list[JsonObject] = [{"type": "text_delta", "text": p} for p in answer.pieces]
        blocks.append(({"type": "text", "text": ""}, answer.text, deltas))
    for index, call in enumerate(answer.calls):
        blocks.append(_tool_block(index, call.name, call.id, call.said))
    return blocks


def _tool_block(index: int, name: str, call_id: str, said: str) -> _Block:
    opening: JsonObject = {
        "type": "tool_use",
        "id": call_id or f"toolu_{index + 1}",
        "name": name,
        "input": {},
    }
    return opening, said, [{"type": "input_json_delta", "partial_json": p} for p in in_pieces(said)]


def _filled(block: JsonObject, said: str) -> JsonObject:
    if block["type"] == "text":
        return {**block, "text": said}
    # A whole reply has no place for what is no JSON: then it stands there as text.
    value: JsonValue = parsed(said) or ({} if said == "{}" else said)
    return {**block, "input": value}


def _finish(content: Sequence[JsonValue], answer: Answer) -> str:
    calls = any(mapping(block).get("type") == "tool_use" for block in content)
    return "tool_use" if calls and answer.finish == "stop" else _FINISH[answer.finish]


def _message(asked: Asked, answer: Answer, content: list[JsonValue]) -> JsonObject:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": answer.model or asked.model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage_in(answer: Answer) -> JsonObject:
    return {
        # What was read from the cache is counted apart here.
        "input_tokens": answer.tokens_in - answer.tokens_cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": answer.tokens_cached,
    }


def _tool(tool: JsonObject) -> ToolSpec:
    return ToolSpec(
        text(tool.get("name")), text(tool.get("description")), mapping(tool.get("input_schema"))
    )


def _said(content: JsonValue) -> str:
    return text(content) or "".join(text(block.get("text")) for block in objects(content))


def _messages(told: JsonObject) -> list[Message]:
    blocks = objects(told.get("content"))
    role = "assistant" if told.get("role") == "assistant" else "user"
    answers = [
        Message("tool", _said(block.get("content")), tool_call_id=text(block.get("tool_use_id")))
        for block in blocks
        if block.get("type") == "tool_result"
    ]
    images = tuple(_image(b) for b in blocks if b.get("type") == "image")
    calls = tuple(
        ToolCall(text(b.get("id")), text(b.get("name")), mapping(b.get("input")))
        for b in blocks
        if b.get("type") == "tool_use"
    )
    said = _said(told.get("content"))
    if said or images or calls or not answers:
        answers.append(Message(role, said, images=images, tool_calls=calls))
    return answers


def _image(block: JsonObject) -> Image:
    source = mapping(block.get("source"))
    return image(text(source.get("media_type")), text(source.get("data")))
