"""Every text with expressions in a piece of a document, and how such texts are checked and filled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.errors import RunError
from agentflow_dagster.graph import expressions
from agentflow_dagster.graph.cel_types import simple_type
from agentflow_dagster.spec import template
from agentflow_dagster.spec.diagnostics import Diagnostic, error, pointer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.graph.cel_syntax import Read
    from agentflow_dagster.spec.values import JsonSchema, JsonValue, Value

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class TemplateText:
    """A text with expressions, and its path in the document."""

    path: Path
    text: str


def find(value: JsonValue, path: Path) -> Iterator[TemplateText]:
    """Every text under `value` that has something to evaluate."""
    match value:
        case str() if template.has_expression(value):
            yield TemplateText(path, value)
        case dict():
            for key, inner in value.items():
                yield from find(inner, (*path, key))
        case list():
            for index, inner in enumerate(value):
                yield from find(inner, (*path, index))
        case _:
            return


def roots(texts: list[TemplateText]) -> dict[str, list[Read]]:
    """What the expressions read, by root name; texts that do not parse read nothing."""
    found: dict[str, list[Read]] = {}
    for text in texts:
        parsed = template.parse(text.text)
        if isinstance(parsed, Diagnostic):
            continue
        for piece in parsed.expressions:
            for read in expressions.reads(piece.source):
                found.setdefault(read.root, []).append(read)
    return found


def check_text(
    text: TemplateText, scope: Mapping[str, JsonSchema]
) -> tuple[JsonSchema, list[Diagnostic]]:
    """Checks one text; gives the JSON Schema of what it evaluates to."""
    place = pointer(*text.path)
    parsed = template.parse(text.text)
    if isinstance(parsed, Diagnostic):
        return {}, [error(parsed.code, parsed.message, pointer=place, hint=parsed.hint)]
    problems: list[Diagnostic] = []
    result: JsonSchema = {"type": "string"}
    for piece in parsed.expressions:
        checked = expressions.check(piece.source, scope)
        if isinstance(checked, expressions.Fault):
            column = piece.offset + checked.offset + 1
            message = f"{checked.message} In {_shown(text.text)} at character {column}."
            problems.append(error(checked.code, message, pointer=place, hint=checked.hint))
        elif piece is parsed.single:
            result = checked.schema
    return ({} if problems else result), problems


def fill(value: JsonValue, scope: Mapping[str, Value]) -> Value:
    """Evaluates every expression under `value`.

    Raises:
        RunError: an expression cannot be evaluated on these values.
    """
    match value:
        case str() if template.has_expression(value):
            return _fill_text(value, scope)
        case dict():
            return {key: fill(inner, scope) for key, inner in value.items()}
        case list():
            return [fill(inner, scope) for inner in value]
        case _:
            return value


def misfit(found: JsonSchema, wanted: JsonSchema) -> str:
    """Why a value of one schema cannot stand where another is wanted; "" as far as types tell."""
    have, _ = simple_type(found)
    want, _ = simple_type(wanted)
    if not have or not want or have == want or (have, want) == ("integer", "number"):
        return ""
    return f"takes a {want}, and this gives a {have}"


def _fill_text(text: str, scope: Mapping[str, Value]) -> Value:
    parsed = template.parse(text)
    if isinstance(parsed, Diagnostic):
        raise RunError(parsed.message, hint=parsed.hint, retryable=False)
    if parsed.single is not None:
        return expressions.evaluate(parsed.single.source, scope)
    return "".join(
        piece if isinstance(piece, str) else _as_text(expressions.evaluate(piece.source, scope))
        for piece in parsed.pieces
    )


def _as_text(value: Value) -> str:
    import json

    from agentflow_dagster.spec.values import split

    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return json.dumps(split(value)[0], ensure_ascii=False)


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 60 else line[:59] + "…")
