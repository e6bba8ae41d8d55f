"""What passes from one step to the next: a JSON tree whose leaves may be parts.

A `Part` is a table (Arrow IPC stream) or bytes, kept as it is encoded, so that a process that only
passes it on needs neither pandas nor pyarrow. Nothing is ever pickled.

    obj  --pack-->  Value  --split-->  (JSON, {id: Part})     what stores and child processes hold
    obj  <-unpack-  Value  <--join--   (JSON, {id: Part})
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from agentflow_dagster.errors import ValueNotStorable

if TYPE_CHECKING:
    import pandas as pd

JsonValue: TypeAlias = "None | bool | int | float | str | list[JsonValue] | dict[str, JsonValue]"
JsonObject: TypeAlias = "dict[str, JsonValue]"
JsonSchema: TypeAlias = "dict[str, Any]"
"""A JSON Schema (draft 2020-12) as a mapping; `{}` says nothing about the value."""

TABLE = "application/vnd.apache.arrow.stream"
BYTES = "application/octet-stream"
_TAGS = ("$part", "$scalar", "$literal")


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf held in a format of its own.

    Args:
        media_type: `TABLE` or `BYTES`.
        data: The encoded bytes.
        summary: A few JSON facts for previews: rows and columns of a table, size of bytes.
    """

    media_type: str
    data: bytes = field(repr=False)
    summary: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


Value: TypeAlias = "None | bool | int | float | str | list[Value] | dict[str, Value] | Part"


def pack(obj: object) -> Value:
    """Turns a Python object into a Value: tables and bytes become parts.

    Raises:
        ValueNotStorable: where something has no stored form; it names the place.
    """
    try:
        return _pack(obj, "")
    except RecursionError:
        raise ValueNotStorable("", "value that holds itself or is nested too deep") from None


def unpack(value: Value) -> object:
    """Turns a Value into plain Python objects; tables become pandas DataFrames."""
    match value:
        case Part():
            return _open_part(value)
        case dict():
            return {k: unpack(v) for k, v in value.items()}
        case list():
            return [unpack(v) for v in value]
        case _:
            return value


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


def preview(value: Value, *, limit: int = 2_000) -> str:
    """At most `limit` characters of JSON that show what the value holds."""
    import orjson

    body = split(value)[0]
    try:
        text = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # Of 64 bits and more, or half a character: it is slower, and takes all.
        import json

        text = json.dumps(body, ensure_ascii=False, indent=2, default=str)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _pack(obj: object, path: str) -> Value:
    if obj is None or isinstance(obj, str | bool | Part):
        return obj
    if isinstance(obj, int | float):
        return float(obj) if isinstance(obj, float) else int(obj)
    if isinstance(obj, Mapping):
        return _pack_mapping(cast("Mapping[object, object]", obj), path)
    if isinstance(obj, list):
        return [_pack(v, f"{path}[{i}]") for i, v in enumerate(cast("list[object]", obj))]
    if isinstance(obj, bytes | bytearray | memoryview):
        data = bytes(cast("bytes", obj))
        return Part(BYTES, data, {"bytes": len(data)})
    return _pack_library_object(obj, path)


def _pack_mapping(obj: Mapping[object, object], path: str) -> Value:
    packed: dict[str, Value] = {}
    for key, item in obj.items():
        if not isinstance(key, str):
            raise ValueNotStorable(f"{path} key {key!r}", type(key).__name__)
        packed[key] = _pack(item, f"{path}.{key}" if path else key)
    return packed


def _pack_library_object(obj: object, path: str) -> Value:
    kind = type(obj)
    root = kind.__module__.partition(".")[0]
    if root == "numpy" and hasattr(obj, "item") and getattr(obj, "ndim", None) == 0:
        return _pack(cast("Any", obj).item(), path)
    if root == "pandas" and kind.__name__ == "DataFrame":
        return _table(cast("pd.DataFrame", obj), path)
    raise ValueNotStorable(path, kind.__qualname__)


def _table(frame: pd.DataFrame, path: str) -> Part:
    import pyarrow as pa

    try:
        table = pa.Table.from_pandas(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ValueNotStorable(path, f"DataFrame that Arrow cannot hold ({error})") from error
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    columns: list[JsonValue] = [str(c) for c in frame.columns[:50]]
    return Part(TABLE, sink.getvalue().to_pybytes(), {"rows": len(frame), "columns": columns})


def _open_part(part: Part) -> object:
    if part.media_type == TABLE:
        import pyarrow as pa

        table = pa.ipc.open_stream(part.data).read_all()
        return table.to_pandas()  # pyright: ignore[reportUnknownMemberType]
    return part.data
