"""Reads JSON Schemas: references followed, closed choices found, the shape that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.models.extractive.zero_shot import Label

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonSchema, JsonValue

_MOST_STEPS = 16


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a closed choice, and the words that say what it means."""

    value: JsonValue
    label: Label


def resolved(schema: JsonSchema, root: JsonSchema) -> JsonSchema:
    """The schema with its local `$ref` followed and its `allOf` taken together.

    Raises:
        KeyError: a reference that leads nowhere.
    """
    for _ in range(_MOST_STEPS):
        if "$ref" not in schema:
            break
        rest = {k: v for k, v in schema.items() if k != "$ref"}
        schema = {**_at(cast("str", schema["$ref"]), root), **rest}
    else:
        raise KeyError(schema["$ref"])
    if "allOf" not in schema:
        return schema
    whole: JsonSchema = {k: v for k, v in schema.items() if k != "allOf"}
    for part in cast("list[JsonSchema]", schema["allOf"]):
        whole = _both(whole, resolved(part, root))
    return whole


def alternatives(schema: JsonSchema) -> list[JsonSchema]:
    """What `anyOf` and `oneOf` offer, in order; empty where the schema has neither."""
    offered: list[JsonSchema] = []
    for keyword in ("anyOf", "oneOf"):
        offered += cast("list[JsonSchema]", schema.get(keyword, []))
    return offered


def choices(schema: JsonSchema, root: JsonSchema) -> list[Choice] | None:
    """The values of a closed choice: `enum`, or alternatives that are constants; else None.

    `null` beside other values is not offered: it stands for "no answer".
    """
    if "const" in schema:
        return [_choice(schema["const"], schema)]
    if "enum" in schema:
        values = cast("list[JsonValue]", schema["enum"])
        return _without_null([_choice(value, {}) for value in values])
    offered = [resolved(s, root) for s in alternatives(schema)]
    closed = [s for s in offered if s.get("type") != "null"]
    found: list[Choice] = []
    for option in closed:
        inner = choices(option, root)
        if inner is None:
            return None
        found += inner
    return _without_null(found) if found else None


def kind_of(schema: JsonSchema) -> str:
    """The JSON type that an answer should have; `null` only where nothing else is allowed."""
    declared: Any = schema.get("type")
    if isinstance(declared, str):
        return declared
    if isinstance(declared, list):
        names = cast("list[str]", declared)
        return next((name for name in names if name != "null"), "null")
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    if "minimum" in schema or "maximum" in schema:
        return "number"
    return "string"


def words(name: str, schema: JsonSchema) -> str:
    """What a field is called and said to be, as words: `due_date` with its description."""
    spaced = "".join(f" {c.lower()}" if c.isupper() else c for c in name).replace("_", " ")
    title = str(schema.get("title", "")) or spaced.strip()
    return ": ".join(part for part in (title, str(schema.get("description", ""))) if part)


def _without_null(found: list[Choice]) -> list[Choice]:
    return [c for c in found if c.value is not None] or found


def _choice(value: JsonValue, schema: JsonSchema) -> Choice:
    name = str(schema.get("title") or value)
    return Choice(value, Label(name.replace("_", " "), str(schema.get("description", ""))))


def _at(reference: str, root: JsonSchema) -> JsonSchema:
    found: Any = root
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found[int(name) if type(found) is list else name]
    return cast("JsonSchema", found)


def _both(left: JsonSchema, right: JsonSchema) -> JsonSchema:
    whole = {**left, **right}
    if "properties" in left and "properties" in right:
        whole["properties"] = {**left["properties"], **right["properties"]}
    if "required" in left and "required" in right:
        whole["required"] = [*left["required"], *right["required"]]
    return whole
