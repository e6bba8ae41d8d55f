"""What CEL says is wrong with an expression, told so that its author can mend it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from agentflow_dagster.spec.diagnostics import nearest
from agentflow_dagster.spec.schemas import properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.graph.cel_types import CelTypes
    from agentflow_dagster.spec.values import JsonSchema

USE_CODE = "Move the work into a code.python node."

_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNKNOWN_FIELD = re.compile(r"undefined field '(.+)' not found in struct '(.+)'")
_UNDECLARED = re.compile(r"undeclared reference to '([^']+)'")
_NO_OVERLOAD = re.compile(
    r"[Nn]o matching overloads? (?:for '(.+)' applied to '(.+)'|found : (.+))"
)
_NO_FIELDS = re.compile(r"expression of type '(.+)' cannot be the operand of a select")
_UNEXPECTED = re.compile(r"Syntax error: (?:mismatched|extraneous) input '(.+)' expecting")
_NO_WAY_ON = re.compile(r"Syntax error: no viable alternative at input '(.+)'")
_MISSING = re.compile(r"Syntax error: missing (.+) at '.+'")
_NO_TOKEN = re.compile(r"Syntax error: token recognition error at: '(.+)'")
_TYPE_NAMES = (
    (re.compile(r"agentflow\.T\d+"), "object"),
    (re.compile(r"wrapper\((\w+)\)"), r"\1 or null"),
    (re.compile(r"\bu?int64\b"), "int"),
)
_DECLARED_IN = {"secret": ("AF501", "secret", "secrets"), "env": ("AF502", "variable", "env")}
_ELSEWHERE = {
    "event": "`event` stands in a trigger's `input` alone.",
    "secret": "Secrets are read in nodes alone.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an expression.

    Args:
        code: AF201 (syntax), AF202 (name), AF203 (field), AF204 (type), AF205 (bounds), AF501
            (secret) or AF502 (environment variable).
        message, hint: As in a diagnostic.
        offset: The character where it stands, from 0.
    """

    code: str
    message: str
    hint: str
    offset: int


def fault(problem: str, source: str, scope: Mapping[str, JsonSchema], types: CelTypes) -> Fault:
    """Reads CEL's first message."""
    if "recursion" in problem:
        return Fault("AF205", "The expression is nested too deep.", USE_CODE, 0)
    match = _ERROR.search(problem)
    if "incompatible function arguments" in problem:
        return Fault("AF201", "The expression has half a character.", "", 0)
    if match is None:
        return Fault("AF201", f"{problem.strip().rstrip('.')}.", "", 0)
    line, column, said = int(match[1]), int(match[2]), match[3].strip()
    offset = sum(len(row) + 1 for row in source.split("\n")[: line - 1]) + column - 1
    if found := _UNKNOWN_FIELD.match(said):
        at = max(source.find(found[1], offset), offset)
        return _unknown_field(found[1], types.schema_of(found[2]) or {}, scope, at)
    if found := _NO_FIELDS.match(said):
        return Fault("AF203", f"A value of type {_types(found[1])} has no fields.", "", offset)
    if found := _UNDECLARED.match(said):
        return _undeclared(found[1].partition(".")[0], source, scope, offset)
    if found := _NO_OVERLOAD.search(said):
        message, hint = _mismatch(found[1], found[2])
        return Fault("AF204", message, hint, offset)
    message, hint = _syntax(said)
    return Fault("AF201", message, hint, offset)


def runtime_message(said: str) -> tuple[str, str]:
    """What went wrong at run time, and a hint."""
    if found := _NO_OVERLOAD.search(said):
        operator, _, types = (found[3] or "").partition("(")
        if operator and types:
            return _mismatch(operator, f"({types}")
    if "Iteration budget" in said:
        return "It goes through too many items.", USE_CODE
    return f"{said.strip().rstrip('.')}.", ""


def _unknown_field(
    name: str, schema: JsonSchema, scope: Mapping[str, JsonSchema], offset: int
) -> Fault:
    for root, (code, noun, field) in _DECLARED_IN.items():
        if schema is scope.get(root):
            close = get_close_matches(name, properties(schema), n=1, cutoff=0.5)
            hint = f"Add {name} to spec.{field}." + (
                f" Or did you mean {close[0]!r}?" if close else ""
            )
            return Fault(code, f"The {noun} {name!r} is not declared.", hint, offset)
    hint = nearest(name, properties(schema))
    if not hint and schema is scope.get("input"):
        hint = "Declare it under spec.inputs.properties."
    return Fault("AF203", f"There is no field {name!r} here.", hint, offset)


def _undeclared(name: str, source: str, scope: Mapping[str, JsonSchema], offset: int) -> Fault:
    if not source.startswith(name, offset):
        offset = max(source.rfind(name, 0, offset + 1), 0)
    hint = _ELSEWHERE.get(name) or nearest(name, scope)
    return Fault("AF202", f"Nothing here is called {name!r}.", hint, offset)


def _mismatch(operator: str, types: str) -> tuple[str, str]:
    shown = operator.strip("_@").replace("_", " ") or operator
    types = _types(types)
    hint = ""
    if operator == "_[_]" and types.startswith("(object"):
        hint = "Read a field with a dot: input.body."
    elif "double" in types and "int" in types:
        hint = "Write whole numbers as 1.0 beside a number, or convert with double()."
    elif "string" in types:
        hint = "Convert with string()."
    return f"'{shown}' does not apply to {types}.", hint


def _types(names: str) -> str:
    for pattern, name in _TYPE_NAMES:
        names = pattern.sub(name, names)
    return names


def _syntax(said: str) -> tuple[str, str]:
    if found := _UNEXPECTED.match(said):
        if found[1] == "<EOF>":
            return "The expression ends too early.", "Complete it, or close its brackets."
        return (
            f"{found[1]!r} does not belong here.",
            "Is an operator or a bracket missing before it?",
        )
    if found := _NO_WAY_ON.match(said):
        return f"{found[1]!r} cannot be understood.", ""
    if found := _MISSING.match(said):
        return f"{found[1]} is missing.", ""
    if found := _NO_TOKEN.match(said):
        if found[1][0] in "'\"":
            return "A text in quotes is never closed.", "Close it with the quote that opened it."
        return f"{found[1]!r} is no part of an expression.", ""
    if said.startswith("reserved identifier"):
        return f"{said.partition(': ')[2]!r} is a reserved word.", "Use another name."
    return f"{said.rstrip('.')}.", ""
