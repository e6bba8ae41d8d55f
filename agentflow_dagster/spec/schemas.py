"""JSON Schemas read as mappings: which part of one speaks of a place in a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.spec.template import has_expression

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonSchema, JsonValue

Path = tuple[str | int, ...]


def properties(schema: JsonSchema) -> dict[str, JsonSchema]:
    """The fields that a schema names; one that is `true` or `false` there says nothing here."""
    named = schema.get("properties")
    if not isinstance(named, dict):
        return {}
    return {n: s if isinstance(s, dict) else {} for n, s in cast("JsonSchema", named).items()}


def schema_at_path(schema: dict[str, JsonValue], path: Path) -> dict[str, JsonValue] | None:
    """The part of a JSON Schema that speaks of a path; None where it says nothing about it.

    Where several alternatives do, they stand under `anyOf`.
    """
    current: JsonValue = schema
    for step in path:
        options = _resolved(schema, current)
        current = next(
            (inner for option in options if (inner := _step_into(option, step)) is not None), None
        )
        if current is None:
            return None
    options = _resolved(schema, current)
    if len(options) == 1:
        return options[0]
    return {"anyOf": cast("list[JsonValue]", options)} if options else None


def _resolved(root: dict[str, JsonValue], node: JsonValue) -> list[dict[str, JsonValue]]:
    """A schema's alternatives, `$ref` followed, without null."""
    if not isinstance(node, dict):
        return []
    reference = node.get("$ref")
    if isinstance(reference, str):
        definitions = cast("dict[str, JsonValue]", root.get("$defs") or {})
        return _resolved(root, definitions.get(reference.rpartition("/")[2]))
    options = node.get("anyOf")
    if isinstance(options, list):
        found = [r for option in options for r in _resolved(root, option)]
        return [r for r in found if r.get("type") != "null"]
    return [node]


def _step_into(node: dict[str, JsonValue], step: str | int) -> JsonValue:
    properties = node.get("properties")
    if isinstance(properties, dict) and step in properties:
        return properties[str(step)]
    patterns = node.get("patternProperties")
    if isinstance(patterns, dict):
        return next(iter(patterns.values()), None)
    inner = node.get("items") if isinstance(step, int) else node.get("additionalProperties")
    return inner if isinstance(inner, dict) else None


def schema_of(value: JsonValue) -> JsonSchema:
    """The narrowest schema that a written value tells of itself; nothing of an expression's."""
    match value:
        case None:
            return {"type": "null"}
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "integer"}
        case float():
            return {"type": "number"}
        case str():
            return {} if has_expression(value) else {"type": "string"}
        case list():
            inner = [schema_of(item) for item in value]
            alike = bool(inner) and all(schema == inner[0] for schema in inner)
            return {"type": "array", "items": inner[0]} if alike else {"type": "array"}
        case dict():
            fields: JsonSchema = {name: schema_of(item) for name, item in value.items()}
            return {"type": "object", "properties": fields, "required": list(fields)}
