"""Plain JSON to an `Agent`, every mistake told as a diagnostic."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ValidationError

from agentflow_dagster.spec.diagnostics import Diagnostic, error, nearest, pointer
from agentflow_dagster.spec.document import Agent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

    from agentflow_dagster.spec.values import JsonValue


def parse_agent(document: Mapping[str, JsonValue]) -> Agent | tuple[Diagnostic, ...]:
    """Checks fields and types; references and meaning are `graph.check`'s."""
    try:
        return Agent.model_validate(document)
    except ValidationError as problem:
        return tuple(model_diagnostics(problem, Agent))


def model_diagnostics(
    problem: ValidationError, model: type[BaseModel], *, under: tuple[str | int, ...] = ()
) -> list[Diagnostic]:
    """A validation error's problems as diagnostics, pointers beginning at `under`."""
    return [
        _diagnostic(detail, model, under) for detail in problem.errors(include_url=False)
    ]


def _diagnostic(
    detail: ErrorDetails, model: type[BaseModel], under: tuple[str | int, ...]
) -> Diagnostic:
    path = _document_path(detail["loc"])
    name = str(path[-1]) if path else "the document"
    place = pointer(*under, *path)
    match detail["type"]:
        case "extra_forbidden":
            known = _fields_at(model, path[:-1])
            return error("AF110", f"Unknown field {name!r}.", pointer=place, hint=nearest(name, known))
        case "missing":
            return error(
                "AF111",
                f"{name!r} is missing.",
                pointer=pointer(*under, *path[:-1]),
                hint=f"Add `{name}:` here.",
            )
        case "string_pattern_mismatch":
            return error(
                "AF113",
                f"{detail['input']!r} is not a valid name.",
                pointer=place,
                hint="Use lower-case letters and digits, beginning with a letter.",
            )
        case "value_error":
            return error("AF112", f"{name}: {_said(detail)}.", pointer=place)
        case _:
            shown = repr(detail["input"])
            shown = shown if len(shown) <= 60 else shown[:59] + "…"
            message = detail["msg"][:1].lower() + detail["msg"][1:]
            return error("AF112", f"{name}: {message}, not {shown}.", pointer=place)


def _said(detail: ErrorDetails) -> str:
    return detail["msg"].removeprefix("Value error, ").rstrip(".")


def _document_path(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The location in the document: pydantic appends `[key]` for keys of a mapping."""
    return tuple(part for part in loc if part != "[key]")


def _fields_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The field names known at a path, read off the model's JSON Schema."""
    schema = cast("dict[str, JsonValue]", model.model_json_schema(by_alias=True))
    found = schema_at_path(schema, path)
    properties = found.get("properties") if found else None
    return list(properties) if isinstance(properties, dict) else []


def schema_at_path(
    schema: dict[str, JsonValue], path: tuple[str | int, ...]
) -> dict[str, JsonValue] | None:
    """The part of a JSON Schema that speaks of a path; None where it says nothing about it."""
    current: JsonValue = schema
    for step in path:
        options = _resolved(schema, current)
        current = next(
            (inner for option in options if (inner := _step_into(option, step)) is not None), None
        )
        if current is None:
            return None
    options = _resolved(schema, current)
    return options[0] if options else None


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
