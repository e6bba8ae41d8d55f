"""Types as Python writes them, as JSON Schemas."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue

_TYPES: dict[str, JsonObject] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "list": {"type": "array"},
    "dict": {"type": "object"},
    "None": {"type": "null"},
    "Any": {},
    "object": {},
}


def schema_of_value(value: JsonValue) -> JsonObject:
    """What a value says of its type; a list's items where all are alike."""
    match value:
        case None:
            return {}
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "integer"}
        case float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
        case list():
            kinds = [schema_of_value(item) for item in value]
            alike = bool(kinds) and all(kind == kinds[0] for kind in kinds) and bool(kinds[0])
            return {"type": "array", "items": kinds[0]} if alike else {"type": "array"}
        case dict():
            return {"type": "object"}


def schema_of_type(annotation: ast.expr) -> JsonObject:
    """The JSON Schema of a type as Python writes it.

    Raises:
        ValueError: JSON has no such type.
    """
    match annotation:
        case ast.Name(id=known) | ast.Attribute(attr=known) if known in _TYPES:
            return dict(_TYPES[known])
        case ast.Constant(value=None):
            return dict(_TYPES["None"])
        case ast.Constant(value=str(text)):
            try:
                return schema_of_type(ast.parse(text, mode="eval").body)
            except SyntaxError:
                pass
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _either(schema_of_type(left), schema_of_type(right))
        case ast.Subscript(value=ast.Name(id=outer) | ast.Attribute(attr=outer), slice=inner):
            if (schema := _generic(outer, inner)) is not None:
                return schema
        case _:
            pass
    raise ValueError(ast.unparse(annotation))


def _generic(outer: str, inner: ast.expr) -> JsonObject | None:
    match outer, inner:
        case "list" | "List", _:
            return {"type": "array", "items": schema_of_type(inner)}
        case "dict" | "Dict", ast.Tuple(elts=[ast.Name(id="str"), values]):
            return {"type": "object", "additionalProperties": schema_of_type(values)}
        case "Optional", _:
            return _either(schema_of_type(inner), dict(_TYPES["None"]))
        case "Union", ast.Tuple(elts=[first, *others]):
            schema = schema_of_type(first)
            for other in others:
                schema = _either(schema, schema_of_type(other))
            return schema
        case "Literal", _:
            choices = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            values = [c.value for c in choices if isinstance(c, ast.Constant)]
            if len(values) == len(choices) and all(isinstance(v, str | int | None) for v in values):
                options = cast("list[JsonValue]", values)
                kind = schema_of_value(options).get("items", {})
                return {**cast("JsonObject", kind), "enum": options}
            return None
        case _:
            return None


def _either(one: JsonObject, other: JsonObject) -> JsonObject:
    """`one | None` keeps its one type, which expressions can be checked against."""
    for schema, rest in ((one, other), (other, one)):
        if rest == _TYPES["None"] and isinstance(kind := schema.get("type"), str):
            nullable: JsonObject = {**schema, "type": [kind, "null"]}
            if isinstance(choices := schema.get("enum"), list):
                nullable["enum"] = [*choices, None]
            return nullable
    return {"anyOf": [one, other]}
