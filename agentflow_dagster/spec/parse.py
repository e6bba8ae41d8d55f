"""Plain JSON to an `Agent` (or a kind's config), every mistake told as a diagnostic."""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar, cast

from pydantic import BaseModel, ValidationError

from agentflow_dagster.spec.diagnostics import Diagnostic, error, nearest, pointer
from agentflow_dagster.spec.document import API_VERSION, PATTERN_HINTS, Agent
from agentflow_dagster.spec.fixes import Fix, Rename, meant, put
from agentflow_dagster.spec.migrations import migrated
from agentflow_dagster.spec.schemas import schema_at_path
from agentflow_dagster.spec.units import NotAnAmount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

    from agentflow_dagster.spec.values import JsonObject, JsonValue

MAX_DEPTH = 100
"""Deepest nesting of a document that comes from elsewhere than YAML."""

Path = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)


def parse_agent(document: Mapping[str, JsonValue]) -> Agent | tuple[Diagnostic, ...]:
    """Checks fields and types; references and meaning are `graph.check`'s."""
    return parse_json(document) or validated(Agent, migrated(dict(document)))


def parse_json(document: Mapping[str, JsonValue]) -> tuple[Diagnostic, ...]:
    """What of a document no JSON text can hold."""
    return tuple(_not_json(dict(document), ()))


def validated(
    model: type[ModelT], given: Mapping[str, JsonValue], *, under: Path = ()
) -> ModelT | tuple[Diagnostic, ...]:
    """The model of what was given, or what is wrong with it; pointers begin at `under`.

    Judged as JSON is: `"3"` is no number, and a field has one name only, its camelCase one.
    """
    try:
        return model.model_validate_json(
            json.dumps(given), strict=True, by_alias=True, by_name=False
        )
    except ValidationError as problem:
        told = _Told(model, dict(given), under)
        return told.diagnostics(problem)


class _Told:
    """A validation error as diagnostics."""

    def __init__(self, model: type[BaseModel], given: JsonValue, under: Path) -> None:
        self._model = model
        self._given = given
        self._under = under

    def diagnostics(self, problem: ValidationError) -> tuple[Diagnostic, ...]:
        """One per place: what the branches of a union say of it is put together."""
        found: list[Diagnostic] = []
        branches: dict[Path, list[tuple[Path, ErrorDetails]]] = {}
        for detail in problem.errors(include_url=False):
            path, union = _document_path(detail, self._given)
            if union is None:
                found.append(self._diagnostic(path, detail))
            else:
                branches.setdefault(union, []).append((path, detail))
        for union, told in branches.items():
            # A branch that was entered says more than one that did not fit at all.
            deeper = [(path, detail) for path, detail in told if len(path) > len(union)]
            if deeper:
                found += [self._diagnostic(path, detail) for path, detail in deeper]
            else:
                found.append(self._no_branch(union, [detail for _, detail in told]))
        return tuple(found)

    def _no_branch(self, path: Path, details: list[ErrorDetails]) -> Diagnostic:
        wanted = dict.fromkeys(d["msg"].removeprefix("Input should be ") for d in details)
        message = f"{_named(path)}: input should be {' or '.join(wanted)}"
        shown = _shown(details[0]["input"])
        return error("AF112", f"{message}, not {shown}.", pointer=self._pointer(path))

    def _diagnostic(self, path: Path, detail: ErrorDetails) -> Diagnostic:
        name, place = _named(path), self._pointer(path)
        match detail["type"]:
            case "extra_forbidden":
                return self._unknown_field(path)
            case "missing":
                place = self._pointer(path[:-1])
                hint = f"Add `{name}:` here."
                fix = _added(place, name)
                return error("AF111", f"{name!r} is missing.", pointer=place, hint=hint, fix=fix)
            case "string_pattern_mismatch":
                pattern = str(detail.get("ctx", {}).get("pattern", ""))
                hint = PATTERN_HINTS.get(pattern, f"It must match {pattern}.")
                shown = _shown(detail["input"])
                return error("AF113", f"{shown} is not a valid name.", pointer=place, hint=hint)
            case "value_error":
                return _refused(name, place, detail)
            case "literal_error" if place == "/apiVersion":
                message = f"There is no format {_shown(detail['input'])} in this release."
                return error("AF118", message, pointer=place, hint=f"Write {API_VERSION}.")
            case _:
                return _wrong_value(name, place, detail)

    def _unknown_field(self, path: Path) -> Diagnostic:
        name, place = _named(path), self._pointer(path)
        known = _fields_at(self._model, path[:-1])
        siblings = _value_at(self._given, path[:-1])
        right = meant(name, known)
        fix = None
        if right is not None and isinstance(siblings, dict) and right not in siblings:
            renamed = Rename.model_validate(
                {"from": place, "path": self._pointer((*path[:-1], right))}
            )
            fix = Fix(title=f"Rename {name!r} to {right!r}", edits=(renamed,))
        hint = f"Did you mean {right!r}?" if right else nearest(name, known)
        return error("AF110", f"Unknown field {name!r}.", pointer=place, hint=hint, fix=fix)

    def _pointer(self, path: Path) -> str:
        return pointer(*self._under, *path)


def _added(place: str, name: str) -> Fix | None:
    """The version, which can be one only; anything else is its author's to say."""
    if (place, name) != ("", "apiVersion"):
        return None
    return put(f"Add apiVersion: {API_VERSION}", "/apiVersion", API_VERSION)


def _refused(name: str, place: str, detail: ErrorDetails) -> Diagnostic:
    """What a validator of ours says; amounts have codes of their own."""
    said = detail["msg"].removeprefix("Value error, ").rstrip(".")
    raised = detail.get("ctx", {}).get("error")
    if not isinstance(raised, NotAnAmount):
        return error("AF112", f"{name}: {said}.", pointer=place)
    fix = put(f"Write {raised.instead}", place, raised.instead) if raised.instead else None
    return error(raised.code, f"{name}: {said}.", pointer=place, fix=fix)


def _wrong_value(name: str, place: str, detail: ErrorDetails) -> Diagnostic:
    said = detail["msg"][:1].lower() + detail["msg"][1:]
    given = cast("JsonValue", detail["input"])
    hint, fix = "", None
    if detail["type"] == "literal_error" and isinstance(given, str):
        allowed = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
        right = meant(given, allowed)
        hint = f"Did you mean {right!r}?" if right else nearest(given, allowed)
        fix = put(f"Write {right}", place, right) if right else None
    elif isinstance(given, str) and (number := _number_meant(given, detail["type"])) is not None:
        hint, fix = f"Write {number}, without quotes.", put(f"Write {number}", place, number)
    message = f"{name}: {said}, not {_shown(given)}."
    return error("AF112", message, pointer=place, hint=hint, fix=fix)


def _number_meant(text: str, problem: str) -> int | float | None:
    """The number that stands in quotes where one is wanted."""
    if problem == "int_type" and re.fullmatch(r"-?(0|[1-9][0-9]{0,15})", text):
        return int(text)
    if problem == "float_type" and re.fullmatch(r"-?[0-9]{0,15}(\.[0-9]{1,15})?", text):
        return float(text) if text.strip("-") else None
    return None


def _value_at(value: JsonValue, path: Path) -> JsonValue:
    for step in path:
        if isinstance(value, dict):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step]
    return value


def _named(path: Path) -> str:
    return str(path[-1]) if path else "the document"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _document_path(detail: ErrorDetails, given: JsonValue) -> tuple[Path, Path | None]:
    """Where in the document an error is, and at which union it was found, if at one.

    A location of pydantic's also names branches of unions, and ends in `[key]` for a key.
    """
    path: list[str | int] = []
    union: Path | None = None
    current: JsonValue = given
    for index, part in enumerate(detail["loc"]):
        last = index == len(detail["loc"]) - 1
        if isinstance(current, dict) and part in current:
            current = cast("JsonObject", current)[str(part)]
        elif isinstance(current, list) and isinstance(part, int):
            current = cast("list[JsonValue]", current)[part]
        elif last and part == "[key]":
            continue
        elif not (last and detail["type"] == "missing"):
            union = tuple(path) if union is None else union
            continue
        path.append(part)
    return tuple(path), union


def _not_json(value: JsonValue, path: Path) -> Iterator[Diagnostic]:
    """What no JSON text can hold, or is nested too deep to be walked."""
    if len(path) > MAX_DEPTH:
        yield error("AF104", f"Nested more than {MAX_DEPTH} deep.", pointer=pointer(*path[:4]))
        return
    match value:
        case float() if not math.isfinite(value):
            yield error("AF117", f"{value} is no JSON number.", pointer=pointer(*path))
        case str() if not _is_text(value):
            yield error("AF117", "The text has half a character.", pointer=pointer(*path))
        case dict():
            for key, inner in value.items():
                if _is_text(key):
                    yield from _not_json(inner, (*path, key))
                else:
                    yield error("AF117", "A key has half a character.", pointer=pointer(*path))
        case list():
            for index, inner in enumerate(value):
                yield from _not_json(inner, (*path, index))
        case _:
            return


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fields_at(model: type[BaseModel], path: Path) -> list[str]:
    """The field names known at a path, read off the model's JSON Schema."""
    found = schema_at_path(_schema(model), path)
    properties = found.get("properties") if found else None
    return list(properties) if isinstance(properties, dict) else []


@lru_cache(maxsize=128)
def _schema(model: type[BaseModel]) -> dict[str, JsonValue]:
    """Read alone: it takes tens of milliseconds to make."""
    return cast("dict[str, JsonValue]", model.model_json_schema(by_alias=True))
