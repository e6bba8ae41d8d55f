"""A run's input: its schema is sound, and a value meets it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.spec.diagnostics import Diagnostic, error, pointer

if TYPE_CHECKING:
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue


def check_inputs(agent: Agent) -> Iterator[Diagnostic]:
    """Whether `inputs` is a JSON Schema of an object, and its defaults meet it."""
    from jsonschema import Draft202012Validator, SchemaError

    schema = cast("JsonSchema", agent.spec.inputs)
    place = ("spec", "inputs")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as problem:
        yield error(
            "AF114",
            f"Not a JSON Schema: {problem.message}.",
            pointer=pointer(*place, *(p for p in problem.absolute_path)),
        )
        return
    if schema.get("type", "object") != "object":
        yield error("AF115", "`inputs` must describe an object.", pointer=pointer(*place, "type"))
        return
    for name, inner in cast("dict[str, JsonSchema]", schema.get("properties") or {}).items():
        if isinstance(cast("object", inner), dict) and "default" in inner:
            for problem in Draft202012Validator(inner).iter_errors(inner["default"]):
                yield error(
                    "AF116",
                    f"The default of {name!r} does not meet its own schema: {problem.message}.",
                    pointer=pointer(*place, "properties", name, "default"),
                )


def complete_input(schema: JsonSchema, given: JsonObject) -> JsonObject:
    """The input with defaults filled in and whole numbers made doubles where numbers are wanted.

    Raises:
        UsageError: it does not meet the schema; every problem is named.
    """
    from jsonschema import Draft202012Validator

    properties = cast("dict[str, JsonSchema]", schema.get("properties") or {})
    filled: JsonObject = {n: p["default"] for n, p in properties.items() if "default" in p} | given
    problems = [
        f"{'.'.join(str(p) for p in e.absolute_path) or 'input'}: {e.message}"
        for e in Draft202012Validator(schema).iter_errors(filled)
    ]
    if unknown := [name for name in given if properties and name not in properties]:
        if schema.get("additionalProperties") in (None, False):
            problems.append(f"unknown: {', '.join(unknown)} (known: {', '.join(properties)})")
    if problems:
        raise UsageError(f"The input does not meet the agent's schema: {'; '.join(problems)}.")
    return cast("JsonObject", conform(filled, schema))


def conform(value: JsonValue, schema: JsonSchema) -> JsonValue:
    """Whole numbers as doubles where the schema says `number`, so that CEL's types hold."""
    match value:
        case int() if schema.get("type") == "number" and not isinstance(value, bool):
            return float(value)
        case dict():
            properties = cast("dict[str, JsonSchema]", schema.get("properties") or {})
            return {k: conform(v, properties.get(k, {})) for k, v in value.items()}
        case list():
            items = schema.get("items")
            inner = cast("JsonSchema", items) if isinstance(items, dict) else {}
            return [conform(v, inner) for v in value]
        case _:
            return value
