"""One turn of a model, and the form in which the journal keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, cast

from agentflow_dagster.ports.model import ToolCall, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.ports.model import ModelReply
    from agentflow_dagster.spec.values import JsonObject, JsonValue, Value


@dataclass(frozen=True, slots=True)
class Turn:
    """What a model said at one time.

    Args:
        text: What it said beside its calls, or its answer.
        calls: What it wants called. Their ids are unique in the conversation.
        usage: What that took. What failed before it the engine counts.
    """

    text: str
    calls: tuple[ToolCall, ...]
    usage: Usage


def kept(reply: ModelReply, redacted: Callable[[str], str]) -> Value:
    """A reply as the journal keeps it; no secret is in it."""
    calls: list[Value] = [
        {
            "id": call.id,
            "name": call.name,
            "arguments": cast("Value", _redacted(call.arguments, redacted)),
        }
        for call in reply.tool_calls
    ]
    return {"text": redacted(reply.text), "calls": calls, "usage": _usage_value(reply.usage)}


def read(value: Value, before: frozenset[str]) -> Turn:
    """A turn that was kept.

    Args:
        value: What the journal has.
        before: Ids of calls in earlier turns: a provider may use one again, or give none.
    """
    told = cast("JsonObject", value)
    taken = set(before)
    calls: list[ToolCall] = []
    for one in cast("list[JsonObject]", told["calls"]):
        wanted = str(one["id"])
        id_ = wanted if wanted and wanted not in taken else _unused(taken)
        taken.add(id_)
        calls.append(ToolCall(id_, str(one["name"]), cast("JsonObject", one["arguments"])))
    return Turn(str(told["text"]), tuple(calls), _usage(cast("JsonObject", told["usage"])))


def _unused(taken: set[str]) -> str:
    """Letters and digits, nine of them: the narrowest form that a provider asks for."""
    return next(id_ for n in count(len(taken)) if (id_ := f"call{n:05d}") not in taken)


def _usage_value(usage: Usage) -> Value:
    cost = None if usage.cost_usd is None else str(usage.cost_usd)
    return cast("Value", {**asdict(usage), "cost_usd": cost})


def _usage(kept_: JsonObject) -> Usage:
    cost = kept_["cost_usd"]
    fields = {**kept_, "cost_usd": None if cost is None else Decimal(str(cost))}
    return Usage(**{k: v for k, v in fields.items() if k in Usage.__slots__})  # pyright: ignore[reportArgumentType] - as `_usage_value` wrote them


def _redacted(value: JsonValue, redacted: Callable[[str], str]) -> JsonValue:
    match value:
        case str():
            return redacted(value)
        case dict():
            return {redacted(key): _redacted(inner, redacted) for key, inner in value.items()}
        case list():
            return [_redacted(inner, redacted) for inner in value]
        case _:
            return value
