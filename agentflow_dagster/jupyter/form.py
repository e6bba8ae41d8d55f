"""A run's input as a form: fields out of its JSON Schema, and what was typed as values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.graph.inputs import complete_input, mismatch
from agentflow_dagster.spec.schemas import properties, schema_at_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue

FieldKind: TypeAlias = Literal["text", "date", "number", "integer", "boolean", "choice", "json"]

_ONE_TYPE: Mapping[str, FieldKind] = {
    "string": "text",
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
}


class _BadText(Exception):
    """What was typed is no value of the field's kind; says what it should be."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a form.

    Args:
        name: The input's name.
        label: What it is called.
        kind: What is typed; `json` for what has an inner structure or no one type.
        required: Whether it has to be filled in.
        description: What it means.
        hint: What may be typed: bounds, the shape of a structure.
        initial: What it holds at first, as text.
        choices: The values to choose from, as JSON, of a `choice`.
    """

    name: str
    label: str
    kind: FieldKind
    required: bool
    description: str
    hint: str
    initial: str
    choices: tuple[str, ...] = ()

    def to_json(self) -> JsonObject:
        """`Field` in `extensions/graph/src/RunForm.tsx`."""
        told: JsonObject = {n: getattr(self, n) for n in self.__slots__ if n != "choices"}
        shown = [{"value": c, "label": _plain(json.loads(c))} for c in self.choices]
        return {**told, "choices": cast("JsonValue", shown)}


def form_fields(schema: JsonSchema, given: JsonObject | None = None) -> tuple[FormField, ...]:
    """The fields for a JSON Schema of an object, in its order; what is required is marked.

    Args:
        schema: A sound one.
        given: Values to begin with, in place of the defaults.
    """
    wanted = cast("list[str]", schema.get("required") or [])
    fields: list[FormField] = []
    for name, written in properties(schema).items():
        inner = {**written, **(schema_at_path(schema, (name,)) or {})}
        kind, choices = _kind(inner)
        initial = (given or {}).get(name, written.get("default"))
        fields.append(
            FormField(
                name=name,
                label=str(inner.get("title") or name),
                kind=kind,
                required=name in wanted and "default" not in written,
                description=str(inner.get("description") or ""),
                hint=_hint(inner, kind),
                initial=_typed(initial, kind),
                choices=choices,
            )
        )
    return tuple(fields)


def read_form(
    schema: JsonSchema, typed: Mapping[str, str]
) -> tuple[JsonObject | None, dict[str, str]]:
    """What was typed as a run's input; None where something is wrong with it.

    Args:
        schema: The one that the fields were made of.
        typed: Texts by field; a field that was left empty is not given.

    Returns:
        The input with defaults filled in, and what is wrong by field; "" names the whole.
    """
    given: JsonObject = {}
    problems: dict[str, str] = {}
    for one in form_fields(schema):
        text = typed.get(one.name, "")
        if text.strip() == "":
            if one.required:
                problems[one.name] = "This has to be filled in."
            continue
        try:
            value = _read(text, one.kind)
        except _BadText as problem:
            problems[one.name] = str(problem)
            continue
        if said := mismatch(schema, one.name, value):
            problems[one.name] = _sentence(said)
        given[one.name] = value
    if problems:
        return None, problems
    try:
        return complete_input(schema, given), {}
    except UsageError as problem:
        return None, {"": str(problem)}


def _kind(inner: JsonSchema) -> tuple[FieldKind, tuple[str, ...]]:
    if "enum" in inner:
        choices = cast("list[JsonValue]", inner["enum"])
        return "choice", tuple(json.dumps(choice, ensure_ascii=False) for choice in choices)
    of_type = inner.get("type", [])
    types = [of_type] if isinstance(of_type, str) else cast("list[str]", of_type)
    named = [t for t in types if t != "null"]
    if len(named) != 1:
        return "json", ()
    if named == ["string"] and inner.get("format") == "date":
        return "date", ()
    return _ONE_TYPE.get(named[0], "json"), ()


def _hint(inner: JsonSchema, kind: FieldKind) -> str:
    match kind:
        case "number" | "integer":
            least = inner.get("minimum", inner.get("exclusiveMinimum"))
            most = inner.get("maximum", inner.get("exclusiveMaximum"))
            whole = "whole number" if kind == "integer" else "number"
            if least is not None and most is not None:
                return f"{whole}, {least} to {most}"
            if least is not None:
                return f"{whole}, at least {least}"
            return f"{whole}, at most {most}" if most is not None else whole
        case "json":
            items = inner.get("type")
            return {"array": 'JSON list: ["a", "b"]', "object": 'JSON object: {"name": 1}'}.get(
                str(items), "JSON"
            )
        case "text":
            longest = inner.get("maxLength")
            return f"at most {longest} characters" if longest is not None else ""
        case _:
            return ""


def _typed(value: JsonValue, kind: FieldKind) -> str:
    if value is None:
        return ""
    if kind in {"text", "date"} and isinstance(value, str):
        return value
    if kind == "json":
        return json.dumps(value, ensure_ascii=False, indent=2)
    return json.dumps(value, ensure_ascii=False)


def _read(text: str, kind: FieldKind) -> JsonValue:
    if kind in {"text", "date"}:
        return text
    try:
        value: JsonValue = json.loads(text)
    except json.JSONDecodeError as problem:
        if kind in {"number", "integer"}:
            raise _BadText(f"{text!r} is not a number.") from None
        place = f"line {problem.lineno}, column {problem.colno}"
        raise _BadText(f"Not JSON: {problem.msg} ({place}).") from None
    except RecursionError:
        raise _BadText("Not JSON: too deep.") from None
    if kind in {"number", "integer"} and (
        isinstance(value, bool) or not isinstance(value, int | float)
    ):
        raise _BadText(f"{text!r} is not a number.")
    return value


def _sentence(said: str) -> str:
    """A problem without the name of the place where that is the field itself."""
    told = said.removeprefix("input: ")
    return f"{told[:1].upper()}{told[1:]}."


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
