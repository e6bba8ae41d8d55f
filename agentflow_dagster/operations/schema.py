"""The JSON Schema of agent documents, by which editors complete and check as one types."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.spec.document import Agent

if TYPE_CHECKING:
    from agentflow_dagster.spec.kind import Catalogue, KindConfig, KindSignature
    from agentflow_dagster.spec.values import JsonObject, JsonValue

ID = "https://agentflow.io/schema/agentflow-v1.json"
_EXPRESSION: JsonObject = {"type": "string", "pattern": r"\{\{"}


def document_schema(kinds: Catalogue) -> JsonObject:
    """The schema; what a node's `with` may hold depends on its `kind`.

    It is wider than `agentflow check`, which also judges expressions, edges and names.
    """
    schema = cast("JsonObject", Agent.model_json_schema(by_alias=True))
    definitions = cast("dict[str, JsonObject]", schema["$defs"])
    rules: list[JsonValue] = []
    for name in sorted(kinds):
        config = _config_schema(kinds[name])
        definitions |= cast("dict[str, JsonObject]", config.pop("$defs", {}))
        definitions[f"with-{name}"] = config
        rules.append(
            {
                "if": {"properties": {"kind": {"const": name}}},
                "then": {"properties": {"with": {"$ref": f"#/$defs/with-{name}"}}},
            }
        )
    node = definitions["Node"]
    node["allOf"] = rules
    cast("JsonObject", node["properties"])["kind"] = {
        "anyOf": [{"const": name, "description": kinds[name].summary} for name in sorted(kinds)]
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        **schema,
        "title": "AgentFlow agent",
    }


def _config_schema(kind: KindSignature[KindConfig]) -> JsonObject:
    """A kind's config, in which an expression may stand for anything that is no fixed field."""
    schema = cast("JsonObject", kind.config.model_json_schema(by_alias=True))
    fields = cast("dict[str, JsonValue]", schema.get("properties") or {})
    schema["properties"] = {
        name: _inside(field) if name in kind.fixed else _or_expression(field)
        for name, field in fields.items()
    }
    return schema


def _or_expression(schema: JsonValue) -> JsonValue:
    """The schema with an expression allowed in its place, and in each place inside it."""
    widened = _inside(schema)
    if not isinstance(widened, dict):
        return widened
    if "anyOf" in widened:
        return {**widened, "anyOf": [*cast("list[JsonValue]", widened["anyOf"]), _EXPRESSION]}
    limits = {"pattern", "enum", "maxLength"}
    if widened.get("type") == "string" and not limits & widened.keys():
        return widened
    if not {"type", "enum", "$ref"} & widened.keys():
        return widened
    told = ("title", "description", "default")
    kept: JsonObject = {name: widened.pop(name) for name in told if name in widened}
    return {**kept, "anyOf": [widened, _EXPRESSION]}


def _inside(schema: JsonValue) -> JsonValue:
    """The schema with an expression allowed in each place inside it."""
    if not isinstance(schema, dict):
        return schema
    widened = dict(schema)
    for key in ("properties", "patternProperties"):
        inner = widened.get(key)
        if isinstance(inner, dict):
            widened[key] = {name: _or_expression(value) for name, value in inner.items()}
    for key in ("items", "additionalProperties"):
        if isinstance(widened.get(key), dict):
            widened[key] = _or_expression(widened[key])
    return widened
