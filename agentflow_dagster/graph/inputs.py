"""A run's input: its schema is sound, and a value meets it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.graph.cel_types import simple_type
from agentflow_dagster.spec.diagnostics import Diagnostic, error, pointer
from agentflow_dagster.spec.json_schema import load_jsonschema
from agentflow_dagster.spec.schemas import properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue, Value

_INPUTS = ("spec", "inputs")
_EXAMPLES = frozenset({"const", "default", "enum", "examples"})
"""Keywords that hold values, not schemas."""


def check_inputs(agent: Agent) -> Iterator[Diagnostic]:
    """Whether `inputs` is a JSON Schema of an object, and its defaults meet it."""
    schema = cast("JsonSchema", agent.spec.inputs)
    if problem := unsound(schema):
        (*path,), message = problem
        hint = "The types are string, number, integer, boolean, object, array and null."
        hint = hint if path and path[-1] == "type" else ""
        if "refers to nothing" in message:
            hint = "Refer to a part of this schema: #/$defs/name."
        yield error("AF114", message, pointer=pointer(*_INPUTS, *path), hint=hint)
        return
    if schema.get("type", "object") != "object":
        message = "`inputs` must describe an object."
        hint = "Write `type: object`, and the fields under `properties`."
        yield error("AF115", message, pointer=pointer(*_INPUTS, "type"), hint=hint)
        return
    for name, inner in properties(schema).items():
        if "default" in inner and (said := mismatch(schema, name, inner["default"])):
            yield error(
                "AF116",
                f"The default of {name!r} does not meet its own schema: {said}.",
                pointer=pointer(*_INPUTS, "properties", name, "default"),
                hint="Change the default, or the schema.",
            )


def mismatch(schema: JsonSchema, name: str, value: JsonValue) -> str:
    """Why a value cannot be the input `name`; "" where it can."""
    inner = properties(schema).get(name, {})
    problems = _problems(schema, value, part=inner)
    return problems[0] if problems else ""


def misfit(schema: JsonSchema, value: JsonValue, *, whole: bool = False) -> str:
    """Why a value does not meet a schema; "" where it does.

    Args:
        schema: A sound one.
        value: What is judged.
        whole: Whether fields that the schema requires have to be there.
    """
    problems = _problems(schema, value, skip=() if whole else ("required",))
    return "; ".join(problems[:5])


def complete_input(schema: JsonSchema, given: JsonObject) -> JsonObject:
    """The input with defaults filled in, and its numbers doubles or integers as they are wanted.

    Raises:
        UsageError: it does not meet the schema; every problem is named.
    """
    return InputSchema(schema).complete(given)


class InputSchema:
    """What an agent takes, for whoever has many inputs to judge.

    Args:
        schema: A sound JSON Schema of an object.
    """

    def __init__(self, schema: JsonSchema) -> None:
        self._schema = schema
        self._known = properties(schema)
        self._judge = _judge(schema)

    def complete(self, given: JsonObject) -> JsonObject:
        """The input with defaults filled in, and its numbers doubles or integers as wanted.

        Raises:
            UsageError: it does not meet the schema; every problem is named.
        """
        schema, known = self._schema, self._known
        filled: JsonObject = {n: p["default"] for n, p in known.items() if "default" in p} | given
        problems = self._judge(filled)
        others_allowed = (
            schema.get("additionalProperties") not in (None, False) or "patternProperties" in schema
        )
        unknown = [name for name in given if known and name not in known]
        if unknown and not others_allowed:
            problems.append(f"unknown: {', '.join(unknown)} (known: {', '.join(known)})")
        if problems:
            raise UsageError(f"The input does not meet the agent's schema: {'; '.join(problems)}.")
        return cast("JsonObject", conform(cast("Value", filled), schema))


def conform(value: Value, schema: JsonSchema) -> Value:
    """Whole numbers as doubles where the schema says `number`, and the other way round where it
    says `integer` (JSON's 3.0 is one), so that CEL's types hold."""
    match value:
        case bool():
            return value
        case int() if simple_type(schema)[0] == "number" and abs(value) < 1 << 1023:
            return float(value)
        case float() if simple_type(schema)[0] == "integer" and value.is_integer():
            return int(value)
        case dict():
            known = properties(schema)
            extra = schema.get("additionalProperties")
            other = cast("JsonSchema", extra) if isinstance(extra, dict) else {}
            return {k: conform(v, known.get(k, other)) for k, v in value.items()}
        case list():
            items = schema.get("items")
            inner = cast("JsonSchema", items) if isinstance(items, dict) else {}
            return [conform(v, inner) for v in value]
        case _:
            return value


def unsound(schema: JsonSchema) -> tuple[tuple[str | int, ...], str] | None:
    """Where something is no JSON Schema, and why; None where it is one."""
    load_jsonschema()
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(
            schema, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
    except SchemaError as problem:
        return tuple(problem.absolute_path), f"Not a JSON Schema: {_short(problem.message)}."
    for reference, path in _references(schema, ()):
        if not _is_found(schema, reference):
            return path, f"Not a JSON Schema: {reference!r} refers to nothing in it."
    return None


def _references(
    node: JsonValue, path: tuple[str | int, ...]
) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    match node:
        case dict():
            for key, inner in node.items():
                if key in {"$ref", "$dynamicRef"} and isinstance(inner, str):
                    yield inner, (*path, key)
                elif key not in _EXAMPLES:
                    yield from _references(inner, (*path, key))
        case list():
            for index, inner in enumerate(node):
                yield from _references(inner, (*path, index))
        case _:
            return


def _is_found(schema: JsonSchema, reference: str) -> bool:
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resolver = REGISTRY.resolver_with_root(DRAFT202012.create_resource(schema))
    try:
        resolver.lookup(reference)
    except (Unresolvable, ValueError):
        return False
    return True


def _problems(
    schema: JsonSchema,
    value: JsonValue,
    *,
    part: JsonSchema | None = None,
    skip: tuple[str, ...] = (),
) -> list[str]:
    """What is wrong with a value; `part` is the part of the schema that speaks of it, and `skip`
    names keywords that are not asked about."""
    return _judge(schema, part=part, skip=skip)(value)


def _judge(
    schema: JsonSchema, *, part: JsonSchema | None = None, skip: tuple[str, ...] = ()
) -> Callable[[JsonValue], list[str]]:
    """Tells what is wrong with values, as `_problems` does."""
    load_jsonschema()
    from jsonschema import Draft202012Validator
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable

    # With a registry of its own, it fetches nothing from the addresses that a schema names.
    validator = Draft202012Validator(schema, registry=REGISTRY)

    def judged(value: JsonValue) -> list[str]:
        try:
            found = validator.descend(  # pyright: ignore[reportUnknownMemberType]
                value, schema if part is None else part
            )
            errors = list(found)
        except (Unresolvable, RecursionError, re.error, OverflowError) as problem:
            return [f"its schema cannot be applied ({type(problem).__name__})"]
        return [
            f"{'.'.join(str(p) for p in e.absolute_path) or 'input'}: {_short(e.message)}"
            for e in errors
            if e.validator not in skip
        ]

    return judged


def _short(message: str) -> str:
    return message if len(message) <= 300 else message[:299] + "…"
