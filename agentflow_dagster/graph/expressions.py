"""CEL expressions: checked against the schemas of what they read, evaluated on plain JSON.

The library is cel-expr-python, the CEL project's own wrapper (docs/decisions/0002-cel-library.md).
Checking and evaluating use two environments: the checker's has message types made from the JSON
Schemas, the evaluator's has none, so values stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.errors import RunError
from agentflow_dagster.graph import cel_syntax
from agentflow_dagster.spec.diagnostics import nearest
from agentflow_dagster.spec.values import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cel_expr_python import cel

    from agentflow_dagster.graph.cel_types import CelTypes
    from agentflow_dagster.spec.values import JsonSchema, Value

RESERVED = frozenset(
    "as break const continue else false for function if import in let loop null package namespace "
    "return true var void while bool bytes double dyn duration int list map null_type string "
    "timestamp type uint math".split()
)
"""Words that CEL keeps, and its names of types: no node may be named so."""

MAX_LENGTH = 10_000
_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNKNOWN_FIELD = re.compile(r"undefined field '(.+)' not found in struct '(.+)'")
_UNDECLARED = re.compile(r"undeclared reference to '([^']+)'")
_NO_OVERLOAD = re.compile(r"found no matching overload for '(.+)' applied to '(.+)'")


@dataclass(frozen=True, slots=True)
class Checked:
    """An expression that means something.

    Args:
        source: Its text.
        schema: JSON Schema of its result; `{}` where that is not known before running.
        syntax: What it reads.
    """

    source: str
    schema: JsonSchema
    syntax: cel_syntax.Syntax


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an expression: code AF201 (syntax), AF202 (name), AF203 (field),
    AF204 (type) or AF205 (bounds), and the 0-based character where it stands."""

    code: str
    message: str
    hint: str
    offset: int


def check(source: str, scope: Mapping[str, JsonSchema]) -> Checked | Fault:
    """Parses and type-checks an expression.

    Args:
        source: The text between `{{` and `}}`.
        scope: The JSON Schema of every name that it may read.
    """
    if not source:
        return Fault("AF201", "There is nothing between '{{' and '}}'.", "", 0)
    if len(source) > MAX_LENGTH:
        return Fault("AF205", f"The expression has {len(source):,} characters.", _USE_CODE, 0)
    from cel_expr_python import cel

    from agentflow_dagster.graph.cel_types import CelTypes

    types = CelTypes()
    mentioned = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", source))
    variables = {n: types.declare(s) for n, s in scope.items() if n in mentioned}
    environment = cel.NewEnv(types.pool(), variables=variables, extensions=_extensions())
    try:
        compiled = environment.compile(source)
    except RuntimeError as problem:
        return _fault(str(problem), source, scope, types)
    syntax = cel_syntax.parse(compiled.serialize())
    if syntax.nested_loops > 1:
        return Fault("AF205", "A comprehension stands inside another.", _USE_CODE, 0)
    return Checked(source, _result_schema(syntax, compiled, scope, types), syntax)


def reads(source: str) -> tuple[cel_syntax.Read, ...]:
    """What an expression reads, types unchecked; nothing where it does not parse."""
    if not source or len(source) > MAX_LENGTH:
        return ()
    try:
        compiled = _evaluator().compile(source, disable_check=True)
    except RuntimeError:
        return ()
    return cel_syntax.parse(compiled.serialize()).reads


def evaluate(source: str, values: Mapping[str, Value]) -> Value:
    """Evaluates a checked expression.

    A plain reference hands over its value as it is, tables included.

    Raises:
        RunError: it reads something that is not there, or its types do not fit the values.
    """
    compiled, reference = _compiled(source)
    if reference is not None:
        return _follow(source, reference, values)
    result = compiled.eval(data=_without_parts(values, source))
    if result.type().name() == "ERROR":
        said = str(result.plain_value()).partition(": ")[2] or "it could not be evaluated"
        raise RunError(f"{{{{{source}}}}}: {said.strip()}.", retryable=False)
    return cast("Value", result.plain_value())


_USE_CODE = "Move the work into a code.python node."


def schema_at(schema: JsonSchema, path: tuple[str, ...]) -> JsonSchema | None:
    """The schema of a field inside another; None where the schema has no such field."""
    for name in path:
        properties = cast("dict[str, JsonSchema]", schema.get("properties") or {})
        if name in properties:
            schema = properties[name]
        elif properties and schema.get("additionalProperties") is not True:
            return None
        else:
            extra = schema.get("additionalProperties")
            schema = cast("JsonSchema", extra) if isinstance(extra, dict) else {}
    return schema


def _result_schema(
    syntax: cel_syntax.Syntax,
    compiled: cel.Expression,
    scope: Mapping[str, JsonSchema],
    types: CelTypes,
) -> JsonSchema:
    if syntax.reference is not None and syntax.reference.root in scope:
        found = schema_at(scope[syntax.reference.root], syntax.reference.path)
        if found is not None:
            return found
    return types.schema_of_type(compiled.return_type())


def _fault(
    problem: str, source: str, scope: Mapping[str, JsonSchema], types: CelTypes
) -> Fault:
    match = _ERROR.search(problem)
    if match is None:
        return Fault("AF201", problem.strip(), "", 0)
    line, column, said = int(match[1]), int(match[2]), match[3].strip()
    offset = sum(len(row) + 1 for row in source.split("\n")[: line - 1]) + column - 1
    if found := _UNKNOWN_FIELD.match(said):
        schema = types.schema_of(found[2]) or {}
        known = cast("dict[str, object]", schema.get("properties") or {})
        return Fault("AF203", f"There is no field {found[1]!r} here.", nearest(found[1], known), offset)
    if found := _UNDECLARED.match(said):
        name = found[1].partition(".")[0]
        return Fault("AF202", f"Nothing here is called {name!r}.", nearest(name, scope), offset)
    if found := _NO_OVERLOAD.match(said):
        return _type_fault(found[1], found[2], offset)
    if said.startswith("reserved identifier"):
        return Fault("AF201", f"{said.partition(': ')[2]!r} is a reserved word.", "", offset)
    return Fault("AF201", f"{said}.", "", offset)


def _type_fault(operator: str, types: str, offset: int) -> Fault:
    shown = operator.strip("_").replace("_", " ") or operator
    hint = ""
    if "double" in types and "int" in types:
        hint = "Write whole numbers as 1.0 beside a number, or convert with double()."
    elif "string" in types:
        hint = "Convert with string()."
    return Fault("AF204", f"'{shown}' does not apply to {types}.", hint, offset)


@lru_cache(maxsize=4096)
def _compiled(source: str) -> tuple[cel.Expression, cel_syntax.Read | None]:
    try:
        compiled = _evaluator().compile(source, disable_check=True)
    except RuntimeError as problem:
        raise RunError(f"{{{{{source}}}}} is not an expression: {problem}", retryable=False) from None
    return compiled, cel_syntax.parse(compiled.serialize()).reference


@lru_cache(maxsize=1)
def _evaluator() -> cel.Env:
    from cel_expr_python import cel

    return cel.NewEnv(extensions=_extensions())


def _extensions() -> list[Any]:
    from cel_expr_python.ext import ext_math, ext_strings

    return [ext_strings.ExtStrings(), ext_math.ExtMath()]


def _follow(source: str, reference: cel_syntax.Read, values: Mapping[str, Value]) -> Value:
    value: Value = dict(values)
    for name in (reference.root, *reference.path):
        if not isinstance(value, dict) or name not in value:
            raise RunError(f"{{{{{source}}}}}: there is no {name!r}.", retryable=False)
        value = value[name]
    return value


def _without_parts(values: Mapping[str, Value], source: str) -> dict[str, Any]:
    """Tables and bytes as their summaries: an expression may test them, not read them."""

    def walk(value: Value) -> Any:
        match value:
            case Part():
                return dict(value.summary)
            case dict():
                return {k: walk(v) for k, v in value.items()}
            case list():
                return [walk(v) for v in value]
            case _:
                return value

    mentioned = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", source))
    return {name: walk(value) for name, value in values.items() if name in mentioned}
