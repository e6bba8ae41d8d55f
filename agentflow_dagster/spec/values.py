"""What passes from one step to the next: a JSON tree whose leaves may be parts.

A `Part` is a table or an array (Arrow IPC stream), a value of a registered type, or bytes, kept as
it is encoded, so that a process that only passes it on needs neither pandas nor pyarrow, nor the
type. Nothing is ever pickled.

    obj  --pack-->  Value  --split-->  (JSON, {id: Part})     what stores and child processes hold
    obj  <-unpack-  Value  <--join--   (JSON, {id: Part})
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from agentflow_dagster.errors import ValueNotStorable

if TYPE_CHECKING:
    from agentflow_dagster.spec.stored_types import StoredType

JsonValue: TypeAlias = "None | bool | int | float | str | list[JsonValue] | dict[str, JsonValue]"
JsonObject: TypeAlias = "dict[str, JsonValue]"
JsonSchema: TypeAlias = "dict[str, Any]"
"""A JSON Schema (draft 2020-12) as a mapping; `{}` says nothing about the value."""

TABLE = "application/vnd.apache.arrow.stream"
ARRAY = "application/vnd.apache.arrow.stream;content=array"
TYPED = "application/vnd.agentflow.typed"
BYTES = "application/octet-stream"
_TAGS = ("$part", "$scalar", "$literal")


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf held in a format of its own.

    Args:
        media_type: `TABLE`, `ARRAY`, `TYPED` or `BYTES`.
        data: The encoded bytes.
        summary: A few JSON facts for previews: rows and columns of a table, shape and dtype of an
            array, the name of a registered type, size of bytes.
    """

    media_type: str
    data: bytes = field(repr=False)
    summary: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


Value: TypeAlias = "None | bool | int | float | str | list[Value] | dict[str, Value] | Part"

_Place: TypeAlias = "tuple[_Place, str | int] | None"
"""Where in an object something stands: the way there from the end; made into text for errors."""

_AS_IT_IS = frozenset({type(None), bool, int, float, str, Part})


def pack(obj: object) -> Value:
    """Turns a Python object into a Value: tables, arrays, registered types and bytes become parts.

    Raises:
        ValueNotStorable: where something has no stored form; it names the place.
    """
    try:
        return _pack(obj, None)
    except RecursionError:
        raise ValueNotStorable("", "value that holds itself or is nested too deep") from None


def unpack(value: Value) -> object:
    """Turns a Value into plain Python objects; tables become what they were packed from.

    Raises:
        TypeNotKnown: it holds a value of a type that is not registered here.
    """
    kind = type(value)
    if kind is dict:
        items = cast("dict[str, Value]", value).items()
        return {k: v if type(v) in _LEAVES else unpack(v) for k, v in items}
    if kind is list:
        return [v if type(v) in _LEAVES else unpack(v) for v in cast("list[Value]", value)]
    return _open_part(value) if isinstance(value, Part) else value


def split(value: Value) -> tuple[JsonValue, dict[str, Part]]:
    """Separates a Value into one JSON document and its parts, for storing or sending."""
    parts: dict[str, Part] = {}

    def walk(node: Value) -> JsonValue:
        match node:
            case Part():
                key = f"p{len(parts)}"
                parts[key] = node
                return {"$part": key, **node.summary}
            case dict():
                body: JsonObject = {k: walk(v) for k, v in node.items()}
                return {"$literal": body} if any(tag in node for tag in _TAGS) else body
            case list():
                return [walk(v) for v in node]
            case float() if not math.isfinite(node):
                return {"$scalar": repr(node)}
            case _:
                return node

    return walk(value), parts


def join(body: JsonValue, parts: Mapping[str, Part]) -> Value:
    """The inverse of `split`."""
    match body:
        case {"$part": str(key)}:
            return parts[key]
        case {"$scalar": str(text)}:
            return float(text)
        case {"$literal": dict(inner)}:
            return {k: join(v, parts) for k, v in inner.items()}
        case dict():
            return {k: join(v, parts) for k, v in body.items()}
        case list():
            return [join(v, parts) for v in body]
        case _:
            return body


def preview(value: Value, *, limit: int = 2_000, shown: Callable[[str], str] | None = None) -> str:
    """At most `limit` characters of JSON that show what the value holds; `shown` may hide some."""
    import orjson

    body = split(value)[0]
    try:
        text = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # Of 64 bits and more, or half a character: it is slower, and takes all.
        import json

        text = json.dumps(body, ensure_ascii=False, indent=2, default=str)
    if shown is not None:
        text = shown(text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


_LEAVES = _AS_IT_IS - {Part}


def _pack(obj: object, place: _Place) -> Value:
    """What is most frequent first: this is done to every output of every step."""
    kind = type(obj)
    if kind in _AS_IT_IS:
        return cast("Value", obj)
    if kind is dict:
        return _pack_mapping(cast("Mapping[object, object]", obj), place)
    if kind is list:
        items = cast("list[object]", obj)
        return [
            cast("Value", v) if type(v) in _AS_IT_IS else _pack(v, (place, i))
            for i, v in enumerate(items)
        ]
    return _pack_rare(obj, place)


def _pack_mapping(obj: Mapping[object, object], place: _Place) -> Value:
    packed: dict[str, Value] = {}
    for key, item in obj.items():
        if not isinstance(key, str):
            raise ValueNotStorable(
                f"{_text(place)} key {key!r}",
                type(key).__name__,
                hint="Keys are texts: use str(key).",
            )
        packed[key] = cast("Value", item) if type(item) in _AS_IT_IS else _pack(item, (place, key))
    return packed


def _pack_rare(obj: object, place: _Place) -> Value:
    from agentflow_dagster.spec import stored_types

    if (stored := stored_types.of(obj)) is not None:
        return _typed(stored, obj, place)
    match obj:
        case Mapping():
            return _pack_mapping(cast("Mapping[object, object]", obj), place)
        case list():
            items = cast("list[object]", obj)
            return [_pack(v, (place, i)) for i, v in enumerate(items)]
        case str():
            return str.__str__(obj)
        case float():
            return float(obj)
        case int():
            return int(obj)
        case bytes() | bytearray() | memoryview():
            data = bytes(cast("bytes", obj))
            return Part(BYTES, data, {"bytes": len(data)})
        case _:
            return _pack_library_object(obj, place)


def _pack_library_object(obj: object, place: _Place) -> Value:
    root = type(obj).__module__.partition(".")[0]
    if root in {"numpy", "pandas", "polars"}:
        from agentflow_dagster.spec import arrow_values

        try:
            if arrow_values.is_scalar(obj):
                return _pack(arrow_values.scalar(obj), place)
            if (part := arrow_values.to_part(obj)) is not None:
                return part
        except arrow_values.NotArrow as problem:
            raise ValueNotStorable(_text(place), problem.what, hint=problem.hint) from problem
    from agentflow_dagster.spec import stored_types
    from agentflow_dagster.spec.unstorable import advice

    if (stored := stored_types.of_plugins(obj)) is not None:
        return _typed(stored, obj, place)
    raise ValueNotStorable(_text(place), type(obj).__qualname__, hint=advice(obj))


def _typed(stored: StoredType, obj: object, place: _Place) -> Part:
    from agentflow_dagster.spec import stored_types

    try:
        given = stored.store(obj)
    except Exception as problem:
        what = f"{stored.name} that its `store` refuses ({problem!r})"
        raise ValueNotStorable(_text(place), what, hint="Mend `store`, or the value.") from problem
    return stored_types.to_part(stored, _pack(given, (place, stored.name)))


def _text(place: _Place) -> str:
    steps: list[str | int] = []
    while place is not None:
        place, step = place
        steps.append(step)
    told = ""
    for step in reversed(steps):
        told += f"[{step}]" if isinstance(step, int) else f".{step}" if told else step
    return told


def _open_part(part: Part) -> object:
    if part.media_type in (TABLE, ARRAY):
        from agentflow_dagster.spec import arrow_values

        return arrow_values.from_part(part)
    if part.media_type == TYPED:
        from agentflow_dagster.spec import stored_types

        return stored_types.from_part(part)
    return part.data
