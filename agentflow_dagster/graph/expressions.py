"""CEL expressions: checked against the schemas of what they read, evaluated on plain JSON.

The library is cel-expr-python, the CEL project's own wrapper (docs/decisions/0002-cel-library.md).
Checking and evaluating use two environments: the checker's has message types made from the JSON
Schemas, the evaluator's has none, so values stay as they are. The library bounds an expression: it
may nest 32 deep, and go through 10,000 items in all.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.errors import RunError
from agentflow_dagster.graph import cel_syntax, cel_values
from agentflow_dagster.graph.cel_messages import USE_CODE, Fault, fault, runtime_message
from agentflow_dagster.graph.cel_types import CelTypes, simple_type
from agentflow_dagster.spec.schemas import properties
from agentflow_dagster.spec.values import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cel_expr_python import cel

    from agentflow_dagster.spec.values import JsonSchema, Value

RESERVED = frozenset(
    {
        *("as", "break", "const", "continue", "else", "false", "for", "function", "if", "import"),
        *("in", "let", "loop", "null", "package", "namespace", "return", "true", "var", "void"),
        *("while", "bool", "bytes", "double", "dyn", "duration", "int", "list", "map"),
        *("null_type", "string", "timestamp", "type", "uint", "math"),
    }
)
"""Words that CEL keeps, and its names of types: no node may be named so."""

MAX_LENGTH = 10_000
_REFERENCE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_SET = {
    "env": "Set the environment variable where the agent runs.",
    "secret": "Set the secret where the agent runs.",
}


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


def check(source: str, scope: Mapping[str, JsonSchema]) -> Checked | Fault:
    """Parses and type-checks an expression.

    Args:
        source: The text between `{{` and `}}`.
        scope: The JSON Schema of every name that it may read.
    """
    if not source:
        return Fault("AF201", "There is nothing between '{{' and '}}'.", "", 0)
    if len(source) > MAX_LENGTH:
        return Fault("AF205", f"The expression has {len(source):,} characters.", USE_CODE, 0)
    if (plain := _plain_reference(source, scope)) is not None:
        return plain
    mentioned = set(_WORD.findall(source))
    known = {name: schema for name, schema in scope.items() if name in mentioned}
    judged = _judged(source, json.dumps(known))
    if isinstance(judged, _Refused):
        return fault(judged.problem, source, {**scope, **judged.scope}, judged.types)
    return judged


@dataclass(frozen=True, slots=True)
class _Refused:
    """What CEL says of an expression that does not compile; its scope is the one of `types`."""

    problem: str
    scope: Mapping[str, JsonSchema]
    types: CelTypes


@lru_cache(maxsize=4_096)
def _judged(source: str, known: str) -> Checked | Fault | _Refused:
    """What CEL says of an expression. An agent that is checked again asks mostly the same.

    Args:
        source: The expression.
        known: The schemas of the names that stand in it, as JSON.
    """
    from cel_expr_python import cel

    scope = cast("dict[str, JsonSchema]", json.loads(known))
    types = CelTypes()
    variables = {name: types.declare(schema) for name, schema in scope.items()}
    environment = cel.NewEnv(types.pool(), variables=variables, extensions=_extensions())
    try:
        compiled = environment.compile(source)
    except (RuntimeError, TypeError) as problem:
        return _Refused(str(problem), scope, types)
    syntax = cel_syntax.parse(compiled.serialize())
    if syntax.nested_loops > 1:
        return Fault("AF205", "A comprehension stands inside another.", USE_CODE, 0)
    return Checked(source, _result_schema(syntax, compiled, scope, types), syntax)


@lru_cache(maxsize=16_384)
def reads(source: str) -> tuple[cel_syntax.Read, ...]:
    """What an expression reads, types unchecked; nothing where it does not parse."""
    if not source or len(source) > MAX_LENGTH:
        return ()
    try:
        compiled = _evaluator().compile(source, disable_check=True)
    except (RuntimeError, TypeError):
        return ()
    return cel_syntax.parse(compiled.serialize()).reads


def evaluate(source: str, values: Mapping[str, Value]) -> Value:
    """Evaluates a checked expression.

    Tables and bytes are handed over as they are; an expression sees their summaries only.

    Raises:
        RunError: it reads something that is not there, or its types do not fit the values.
    """
    compiled, reference = _compiled(source)
    if reference is not None:
        return _follow(source, reference, values)
    mentioned = set(_WORD.findall(source))
    shown = cel_values.Shown({n: v for n, v in values.items() if n in mentioned})
    try:
        result = compiled.eval(data=shown.data)
    except RuntimeError as problem:
        raise _failed(source, str(problem)) from None
    if result.type().name() == "ERROR":
        raise _failed(source, str(result.plain_value()).partition(": ")[2])
    return shown.value_of(result.plain_value())


def schema_at(schema: JsonSchema, path: tuple[str, ...]) -> JsonSchema | None:
    """The schema of a field inside another; None where the schema has no such field."""
    for name in path:
        named = properties(schema)
        extra = schema.get("additionalProperties")
        if name in named:
            schema = named[name]
        elif named and extra in (None, False):
            return None
        else:
            schema = cast("JsonSchema", extra) if isinstance(extra, dict) else {}
    return schema


def _plain_reference(source: str, scope: Mapping[str, JsonSchema]) -> Checked | None:
    """`node.output.text`, where every field is declared: most expressions are that, and CEL would
    take a hundred times as long to say so. None where CEL has to judge."""
    if not _REFERENCE.fullmatch(source):
        return None
    root, *path = source.split(".")
    if not RESERVED.isdisjoint((root, *path)) or root not in scope:
        return None
    schema = scope[root]
    for name in path:
        known = properties(schema)
        if simple_type(schema) != ("object", False) or name not in known:
            return None
        schema = known[name]
    read = cel_syntax.Read(root, tuple(path))
    return Checked(source, schema, cel_syntax.Syntax((read,), read, 0))


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


@lru_cache(maxsize=4096)
def _compiled(source: str) -> tuple[cel.Expression, cel_syntax.Read | None]:
    try:
        compiled = _evaluator().compile(source, disable_check=True)
    except (RuntimeError, TypeError) as problem:
        found = fault(str(problem), source, {}, CelTypes())
        raise _failed(source, found.message, hint=found.hint) from None
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
        if isinstance(value, Part):
            value = cast("Value", dict(value.summary))
        if not isinstance(value, dict) or name not in value:
            hint = _NOT_SET.get(reference.root, "")
            raise _failed(source, f"there is no {name!r}", hint=hint)
        value = value[name]
    return value


def _failed(source: str, said: str, *, hint: str = "") -> RunError:
    message, told = runtime_message(said or "it could not be evaluated")
    return RunError(f"{{{{{source}}}}}: {message}", hint=hint or told, retryable=False)
