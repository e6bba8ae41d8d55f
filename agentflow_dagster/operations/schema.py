"""The JSON Schema of agents and workflows, by which editors complete and check as one types."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.spec.document import Agent
from agentflow_dagster.spec.workflow import Workflow

if TYPE_CHECKING:
    from pydantic import BaseModel

    from agentflow_dagster.spec.kind import Catalogue, KindConfig, KindSignature
    from agentflow_dagster.spec.values import JsonObject, JsonValue

ID = "https://agentflow.io/schema/agentflow-v1.json"
_EXPRESSION: JsonObject = {"type": "string", "pattern": r"\{\{"}
_ABOUT = ("description", "default", "examples")
"""Keywords that speak of a field whatever its value is; they stay outside of alternatives."""


def document_schema(kinds: Catalogue) -> JsonObject:
    """The schema; what a node's `with` may hold depends on its `kind`.

    It is wider than `agentflow check`, which also judges expressions, edges and names.
    """
    forms: dict[str, JsonObject] = {"Agent": _schema(Agent), "Workflow": _schema(Workflow)}
    definitions: dict[str, JsonObject] = {}
    for form, schema in forms.items():
        definitions |= cast("dict[str, JsonObject]", schema.pop("$defs"))
        definitions[form] = schema
    rules: list[JsonValue] = []
    for name in sorted(kinds):
        config = _config_schema(kinds[name])
        needed: JsonObject = {"required": ["with"]} if config.get("required") else {}
        definitions[f"with-{name}"] = config
        rules.append(
            {
                "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
                "then": {"properties": {"with": {"$ref": f"#/$defs/with-{name}"}}, **needed},
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
        "title": "AgentFlow agent or workflow",
        "if": {"properties": {"kind": {"const": "Workflow"}}, "required": ["kind"]},
        "then": {"$ref": "#/$defs/Workflow"},
        "else": {"$ref": "#/$defs/Agent"},
        "$defs": cast("JsonObject", definitions),
    }


def _schema(model: type[BaseModel]) -> JsonObject:
    return cast("JsonObject", _tidied(cast("JsonObject", model.model_json_schema(by_alias=True))))


def _tidied(schema: JsonValue) -> JsonValue:
    """Without the titles that repeat a field's name; a key that breaks its pattern is refused."""
    match schema:
        case dict():
            tidy = {
                key: _each(inner) if key in _MAPS else _tidied(inner)
                for key, inner in cast("JsonObject", schema).items()
                if key != "title"
            }
            if "patternProperties" in tidy:
                tidy.setdefault("additionalProperties", False)
            return tidy
        case list():
            return [_tidied(inner) for inner in cast("list[JsonValue]", schema)]
        case _:
            return schema


_MAPS = frozenset({"properties", "patternProperties", "$defs"})
"""Keywords under which schemas stand by name."""


def _each(schemas: JsonValue) -> JsonValue:
    return {name: _tidied(inner) for name, inner in cast("JsonObject", schemas).items()}


def _config_schema(kind: KindSignature[KindConfig]) -> JsonObject:
    """A kind's config, in which an expression may stand for anything that is no fixed field."""
    schema = _schema(kind.config)
    definitions = cast("JsonObject", schema.pop("$defs", {}))
    fields = cast("JsonObject", schema.get("properties") or {})
    schema["properties"] = {
        name: field
        if name in kind.programs
        else _inside(field, definitions)
        if name in kind.fixed
        else _or_expression(field, definitions)
        for name, field in fields.items()
    }
    return schema


def _or_expression(schema: JsonValue, definitions: JsonObject) -> JsonValue:
    """The schema with an expression allowed in its place, and in each place inside it."""
    widened = _inside(schema, definitions)
    if not isinstance(widened, dict):
        return widened
    told: JsonObject = {name: widened.pop(name) for name in _ABOUT if name in widened}
    limits = {"pattern", "enum", "maxLength", "const"}
    if not widened or (widened.get("type") == "string" and not limits & widened.keys()):
        return told | widened
    options = widened.get("anyOf") if widened.keys() == {"anyOf"} else [widened]
    return {**told, "anyOf": [*cast("list[JsonValue]", options), _EXPRESSION]}


def _inside(schema: JsonValue, definitions: JsonObject) -> JsonValue:
    """The schema, references written out, with an expression allowed in each place inside it."""
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        found = definitions.get(reference.rpartition("/")[2])
        told = {name: value for name, value in schema.items() if name != "$ref"}
        return cast("JsonObject", _inside(found, definitions)) | told
    widened = dict(schema)
    for key in ("properties", "patternProperties"):
        inner = widened.get(key)
        if isinstance(inner, dict):
            named = cast("JsonObject", inner).items()
            widened[key] = {name: _or_expression(value, definitions) for name, value in named}
    for key in ("items", "additionalProperties"):
        if isinstance(widened.get(key), dict):
            widened[key] = _or_expression(widened[key], definitions)
    if isinstance(options := widened.get("anyOf"), list):
        widened["anyOf"] = [_inside(option, definitions) for option in options]
    return widened
