"""A config field that holds a JSON Schema, and what of one a kind can promise."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator

from agentflow_dagster.spec.json_schema import load_jsonschema


def _sound(schema: dict[str, Any]) -> dict[str, Any]:
    load_jsonschema()
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as problem:
        raise ValueError(f"not a JSON Schema: {problem.message}") from None
    return schema


def _of_object(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") != "object":
        raise ValueError("a JSON Schema of an object is needed: write `type: object`")
    return schema


SchemaField = Annotated[dict[str, Any], AfterValidator(_sound)]
"""A JSON Schema (draft 2020-12)."""

ObjectSchemaField = Annotated[SchemaField, AfterValidator(_of_object)]
"""One that describes an object."""
