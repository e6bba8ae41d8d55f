"""The parameters cell as the JSON Schema of a run's input.

Each line is `name: type = literal`, `name = literal`, or `name: type` for one that must be given; a
comment at its end is its description.
"""

from __future__ import annotations

import ast
import io
import json
import math
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.notebook.annotations import schema_of_type, schema_of_value
from agentflow_dagster.notebook.parameter_widgets import widget_schema, widgets_in
from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.spec.diagnostics import Diagnostic, Position
from agentflow_dagster.spec.json_schema import load_jsonschema

if TYPE_CHECKING:
    from agentflow_dagster.notebook.cells import NotebookCell
    from agentflow_dagster.spec.values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value that a run may be given.

    Args:
        name: Its name.
        schema: Its JSON Schema, default and description included.
        position: Where it stands in the cell.
    """

    name: str
    schema: JsonObject
    position: Position

    @property
    def required(self) -> bool:
        """Whether a run must give it."""
        return "default" not in self.schema


def read_parameters(
    cell: NotebookCell, *, widgets: bool = False
) -> tuple[list[Parameter], list[Diagnostic]]:
    """Reads a cell that is known to be Python; a name given twice counts as its last.

    Args:
        cell: The cell.
        widgets: Whether a widget is a parameter too: where whole notebooks are run.
    """
    comments = _comments(cell.source)
    parameters: dict[str, Parameter] = {}
    found: list[Diagnostic] = []
    for statement in ast.parse(cell.source).body:
        if isinstance(statement, ast.Pass) or (
            isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        ):
            continue
        try:
            name, schema = (_widget(statement) if widgets else None) or _read(statement)
        except _Unfit as unfit:
            position = Position(statement.lineno, statement.col_offset + 1)
            found.append(
                problem(unfit.code, unfit.message, cell=cell, position=position, hint=unfit.hint)
            )
            continue
        if comment := comments.get(statement.end_lineno or statement.lineno):
            schema["description"] = comment
        parameters[name] = Parameter(name, schema, Position(statement.lineno))
    return list(parameters.values()), found


def input_schema(parameters: list[Parameter]) -> JsonObject:
    """The JSON Schema of an input that holds all of them."""
    schema: JsonObject = {
        "type": "object",
        "properties": {p.name: p.schema for p in parameters},
    }
    if required := [p.name for p in parameters if p.required]:
        schema["required"] = cast("list[JsonValue]", required)
    return schema


class _Unfit(Exception):
    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


def _widget(statement: ast.stmt) -> tuple[str, JsonObject] | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            schema = widget_schema(value)
            return None if schema is None else (name, schema)
        case _:
            return None


def _read(statement: ast.stmt) -> tuple[str, JsonObject]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            default = _default(name, value)
            return name, {**schema_of_value(default), "default": default}
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=None):
            return name, _schema(name, annotation)
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as v):
            schema, default = _schema(name, annotation), _default(name, v)
            _check(name, schema, default, ast.unparse(annotation))
            return name, {**schema, "default": default}
        case _:
            raise _Unfit(
                "AF608",
                f"`{_shortened(ast.unparse(statement))}` is no parameter.",
                "Keep to lines like `limit: int = 10`; move the rest to a setup cell.",
            )


def _schema(name: str, annotation: ast.expr) -> JsonObject:
    try:
        return schema_of_type(annotation)
    except ValueError:
        raise _Unfit(
            "AF610",
            f"The type `{ast.unparse(annotation)}` of {name!r} cannot be a run's input.",
            "Use int, float, str, bool, list[…], dict[str, …], Literal[…], or one of them | None.",
        ) from None


def _default(name: str, value: ast.expr) -> JsonValue:
    hint = "Give it a plain value here, and compute what follows from it in a node."
    try:
        default = ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError):
        message = f"The default of {name!r} is `{_shortened(ast.unparse(value))}`, not a literal."
        if widgets_in(f"it = {ast.unparse(value)}"):
            hint = "A widget is a parameter of a whole notebook (code.notebook); write its value."
        raise _Unfit("AF609", message, hint) from None
    if (odd := _not_json(default)) is not None:
        raise _Unfit("AF609", f"The default of {name!r} holds {odd}, which JSON cannot.", hint)
    return default


def _not_json(value: object) -> str | None:
    """What in a literal would not come back from JSON as it was."""
    match value:
        case dict():
            items = cast("dict[object, object]", value)
            if keys := [k for k in items if not isinstance(k, str)]:
                return f"the key {keys[0]!r}"
            return next((odd for v in items.values() if (odd := _not_json(v))), None)
        case list():
            inner = cast("list[object]", value)
            return next((odd for v in inner if (odd := _not_json(v))), None)
        case float() if not math.isfinite(value):
            return repr(value)
        case None | bool() | int() | float() | str():
            return None
        case _:
            return f"a {type(value).__name__}"


def _check(name: str, schema: JsonObject, default: JsonValue, type_: str) -> None:
    load_jsonschema()
    from jsonschema import Draft202012Validator

    if not cast("Any", Draft202012Validator(schema)).is_valid(default):
        message = f"The default of {name!r} is {_shortened(json.dumps(default))}, not a {type_}."
        raise _Unfit("AF610", message, "Make the type and the default agree.")


def _comments(source: str) -> dict[int, str]:
    """Comments that stand behind code, by line."""
    found: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip():
            found[token.start[0]] = token.string.lstrip("#").strip()
    return found


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"
