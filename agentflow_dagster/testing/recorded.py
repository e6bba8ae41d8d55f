"""Calls of models as a cassette keeps them: JSON without secrets, pictures by their hashes."""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from agentflow_dagster.engine.redaction import Redactor
from agentflow_dagster.errors import ModelError
from agentflow_dagster.graph.clear_secrets import keys_in
from agentflow_dagster.ports.model import ModelReply, ToolCall, Usage
from agentflow_dagster.testing.protocols.reading import mapping, number, objects, text, whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agentflow_dagster.ports.model import Message, ModelRequest
    from agentflow_dagster.spec.values import JsonObject, JsonValue, Value

_BEARER = re.compile(r"(?i)\bBearer\s+([\w.~+/=-]{8,})")
_SECRET_NAME = re.compile(r"(?i)KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL")
_ALWAYS = ("cost_usd", "latency_ms")
_SHORTEST = 8
"""Characters of a variable's value that is taken for a secret by its name."""


def secrets_of(environment: Mapping[str, str]) -> frozenset[str]:
    """Values of environment variables whose names say that they are secret."""
    return frozenset(
        value
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST
    )


def scrubbed(value: JsonObject, secrets: Iterable[str]) -> JsonObject:
    """The value with `***` for secrets, and for whatever has the form of a provider's key."""
    found = set(secrets)
    for said in _texts(value):
        found |= keys_in(said) | {match[1] for match in _BEARER.finditer(said)}
    return cast("JsonObject", Redactor(found).value(cast("Value", value)))


def asked_form(request: ModelRequest) -> JsonObject:
    """What an answer depends on: who asks, when it is kept and how it is routed does not count."""
    form: JsonObject = {
        "model": request.model,
        "messages": [_message_form(message) for message in request.messages],
        "tools": [
            {"name": t.name, "description": t.description, "parameters": t.parameters}
            for t in request.tools
        ],
        "tool_choice": request.tool_choice if request.tools else None,
        "output_schema": request.output_schema,
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
    }
    return {name: value for name, value in form.items() if value not in (None, [])}


def reply_form(reply: ModelReply) -> JsonObject:
    """A reply, as it is kept."""
    form: JsonObject = {"text": reply.text}
    if reply.output is not None:
        form["output"] = reply.output
    if reply.tool_calls:
        form["tool_calls"] = [_call_form(call) for call in reply.tool_calls]
    form["usage"] = _usage_form(reply.usage)
    if reply.failed:
        form["failed"] = [_usage_form(usage) for usage in reply.failed]
    return form


def error_form(error: ModelError) -> JsonObject:
    """A failure, as it is kept."""
    return {
        "error": error.message,
        "model": error.model,
        "provider": error.provider,
        "status": error.status,
        "retryable": error.retryable,
        "hint": error.hint,
    }


def reply_of(form: JsonObject) -> ModelReply:
    """The reply that was kept.

    Raises:
        ModelError: a failure was.
    """
    if "error" in form:
        raise ModelError(
            text(form["error"]),
            model=text(form.get("model")),
            provider=text(form.get("provider")),
            status=whole_number(form.get("status")),
            retryable=form.get("retryable") is not False,
            hint=text(form.get("hint")),
        )
    return ModelReply(
        text=text(form.get("text")),
        output=form.get("output"),
        usage=_usage(mapping(form.get("usage"))),
        tool_calls=tuple(
            ToolCall(text(c.get("id")), text(c.get("name")), mapping(c.get("arguments")))
            for c in objects(form.get("tool_calls"))
        ),
        failed=tuple(_usage(usage) for usage in objects(form.get("failed"))),
    )


def differences(one: JsonValue, other: JsonValue, path: str = "") -> Iterator[str]:
    """Places at which two requests differ, with what stands there."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            yield from differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from differences(a, b, f"{path}[{index}]")
    elif one != other:
        yield f"{path}: {_short(one)}, recorded {_short(other)}"


def _short(value: JsonValue) -> str:
    said = repr(value)
    return said if len(said) <= 80 else f"{said[:79]}…"


def _texts(value: JsonValue) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
        case _:
            return


def _message_form(message: Message) -> JsonObject:
    form: JsonObject = {"role": message.role, "content": message.content}
    if message.images:
        form["images"] = [
            {"media_type": image.media_type, "sha256": hashlib.sha256(image.data).hexdigest()}
            for image in message.images
        ]
    if message.tool_calls:
        form["tool_calls"] = [_call_form(call) for call in message.tool_calls]
    if message.tool_call_id:
        form["tool_call_id"] = message.tool_call_id
    return form


def _call_form(call: ToolCall) -> JsonObject:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}


def _usage_form(usage: Usage) -> JsonObject:
    form: JsonObject = {
        "provider": usage.provider,
        "model": usage.model,
        "tokens_in": usage.tokens_in,
        "tokens_out": usage.tokens_out,
        "tokens_cached": usage.tokens_cached,
        "tokens_reasoning": usage.tokens_reasoning,
        # As text: a price is no binary fraction.
        "cost_usd": None if usage.cost_usd is None else str(usage.cost_usd),
        "latency_ms": round(usage.latency_ms, 1),
        "counted": usage.counted,
        "reason": usage.reason,
    }
    return {name: value for name, value in form.items() if value or name in _ALWAYS}


def _usage(form: JsonObject) -> Usage:
    cost = form.get("cost_usd")
    return Usage(
        tokens_in=whole_number(form.get("tokens_in")) or 0,
        tokens_out=whole_number(form.get("tokens_out")) or 0,
        cost_usd=None if cost is None else Decimal(str(cost)),
        latency_ms=number(form.get("latency_ms")) or 0.0,
        model=text(form.get("model")),
        provider=text(form.get("provider")),
        tokens_cached=whole_number(form.get("tokens_cached")) or 0,
        tokens_reasoning=whole_number(form.get("tokens_reasoning")) or 0,
        counted=form.get("counted") is True,
        reason=text(form.get("reason")),
    )
