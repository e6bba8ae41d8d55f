"""Replies that must meet a JSON Schema: how the schema is sent, and how the reply is checked."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.spec.json_schema import load_jsonschema

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue

_FENCED = re.compile(r"^```\w*\s*\n(.*?)\n?```$", re.DOTALL)
_WRAPPED = "value"


class Reply:
    """How a reply of one schema is asked for and read.

    Providers want an object at the top: another schema is put into one, under `value`, and the
    reply is taken out again.
    """

    def __init__(self, schema: JsonSchema) -> None:
        self._schema = schema
        self._wrapped = schema.get("type") != "object"

    @property
    def sent_schema(self) -> JsonSchema:
        """The schema as the provider gets it."""
        if not self._wrapped:
            return self._schema
        # Local references start at the root, so the definitions stay there.
        definitions = {k: self._schema[k] for k in ("$defs", "definitions") if k in self._schema}
        inner = {k: v for k, v in self._schema.items() if k not in definitions}
        return {
            "type": "object",
            "properties": {_WRAPPED: inner},
            "required": [_WRAPPED],
            "additionalProperties": False,
            **definitions,
        }

    @property
    def response_format(self) -> JsonObject:
        """The `response_format` of the OpenAI protocol."""
        schema = self.sent_schema
        return {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": schema, "strict": _is_strict(schema)},
        }

    @property
    def instruction(self) -> str:
        """The same in words, for a model that has no `response_format`."""
        shape = json.dumps(self.sent_schema, ensure_ascii=False)
        return f"Answer with one JSON value that meets this JSON Schema, and nothing else:\n{shape}"

    def read(self, text: str) -> JsonValue:
        """The value that a reply's text holds.

        Raises:
            ValueError: it is not JSON, or does not meet the schema; the message says where.
        """
        stripped = text.strip()
        if fenced := _FENCED.match(stripped):
            stripped = fenced[1]
        try:
            value: JsonValue = json.loads(stripped)
        except json.JSONDecodeError as error:
            raise ValueError(f"it is not JSON ({error.msg}, at character {error.pos})") from None
        if (
            self._wrapped
            and isinstance(value, dict)
            and set(cast("JsonObject", value)) == {_WRAPPED}
        ):
            value = value[_WRAPPED]
        if wrong := schema_mismatch(value, self._schema):
            raise ValueError(wrong)
        return value


def schema_mismatch(value: JsonValue, schema: JsonSchema) -> str:
    """What keeps a value from meeting a schema, naming the place; empty where nothing does."""
    from importlib import import_module

    import referencing

    load_jsonschema()
    # An empty registry: a schema never makes us fetch another from the network.
    registry: Any = referencing.Registry[Any]()
    jsonschema: Any = import_module("jsonschema")  # its types leave values unknown
    validator = jsonschema.Draft202012Validator(schema, registry=registry)
    error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    if error is None:
        return ""
    place = "".join(f"/{step}" for step in error.absolute_path)
    said = str(error.message)
    return f"{place or 'the value'}: {said if len(said) <= 200 else said[:199] + '…'}"


def _is_strict(schema: object) -> bool:
    """Whether OpenAI's strict mode takes it: every object closed, every property required."""
    if isinstance(schema, list):
        return all(_is_strict(part) for part in cast("list[object]", schema))
    if not isinstance(schema, dict):
        return True
    node = cast("JsonObject", schema)
    if "oneOf" in node or "allOf" in node:
        return False
    if node.get("type") == "object":
        properties, required = node.get("properties", {}), node.get("required", [])
        closed = node.get("additionalProperties") is False
        if not closed or not isinstance(properties, dict) or not isinstance(required, list):
            return False
        if set(properties) != {str(name) for name in required}:
            return False
    return all(_is_strict(part) for part in node.values())
