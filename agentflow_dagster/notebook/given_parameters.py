"""What a notebook is run with, judged by its parameters cell before any kernel is asked for."""

from __future__ import annotations

import ast
import keyword
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import RunError
from agentflow_dagster.graph.inputs import conform, mismatch
from agentflow_dagster.notebook.cells import read_notebook
from agentflow_dagster.notebook.parameters import input_schema, read_parameters
from agentflow_dagster.spec.diagnostics import nearest
from agentflow_dagster.spec.schemas import properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.notebook.cells import NotebookCell
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue, Value


def given_parameters(
    notebook: str, text: str, given: Mapping[str, JsonValue], offered: Mapping[str, JsonValue]
) -> JsonObject:
    """The parameters that papermill is to put in.

    Args:
        notebook: What errors call it.
        text: The .ipynb file.
        given: By name; each has to be one of the notebook's.
        offered: Taken where the notebook has such a parameter and it is not given.

    Raises:
        RunError: it is no notebook, or does not take these.
    """
    read = read_notebook(text)
    if not read.cells and read.diagnostics:
        raise _refused(f"{notebook}: {read.diagnostics[0].message}", read.diagnostics[0].hint)
    cell = next((c for c in read.cells if c.role == "parameters"), None)
    if cell is None:
        if given:
            message = f"{notebook} takes no parameters: no cell of it is tagged `parameters`."
            raise _refused(message, "Tag the cell that sets them, or give none.")
        return {}
    schema, unchecked = _schema(notebook, cell)
    known = properties(schema)
    wanted = {**{n: v for n, v in offered.items() if n in known or n in unchecked}, **given}
    for name, value in wanted.items():
        _require(notebook, name, value, schema, unchecked)
    if missing := [n for n in schema.get("required", ()) if n not in wanted]:
        message = f"{notebook} needs its parameter {missing[0]!r}."
        raise _refused(message, f"Give it: `parameters: {{{missing[0]}: …}}`.")
    return {
        n: cast("JsonValue", conform(cast("Value", v), known.get(n, {}))) for n, v in wanted.items()
    }


def _schema(notebook: str, cell: NotebookCell) -> tuple[JsonSchema, frozenset[str]]:
    """The schema of those that the cell says enough of, and the names of the others."""
    try:
        statements = ast.parse(cell.source).body
    except SyntaxError as problem:
        message = f"{notebook}: {cell.title} is not Python: {problem.msg} (line {problem.lineno})."
        raise _refused(message) from None
    parameters, _ = read_parameters(cell, widgets=True)
    schema = cast("JsonSchema", input_schema(parameters))
    return schema, frozenset(_assigned(statements)) - properties(schema).keys()


def _assigned(statements: list[ast.stmt]) -> list[str]:
    names: list[str] = []
    for statement in statements:
        match statement:
            case ast.Assign(targets=targets):
                names += [t.id for t in targets if isinstance(t, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.append(name)
            case _:
                pass
    return names


def _require(
    notebook: str, name: str, value: JsonValue, schema: JsonSchema, unchecked: frozenset[str]
) -> None:
    """Refuses what is no name (papermill writes names into code as they are), and what does not fit
    the parameter."""
    if not (name.isidentifier() and name.isascii()) or keyword.iskeyword(name):
        raise _refused(f"{notebook}: {name!r} is no name of a parameter.")
    known = {*properties(schema), *unchecked}
    if name not in known:
        message = f"{notebook} has no parameter {name!r}."
        raise _refused(message, nearest(name, known) or f"It has: {', '.join(sorted(known))}.")
    if name not in unchecked and (problem := mismatch(schema, name, value)):
        problem = problem.removeprefix("input: ")
        raise _refused(f"{notebook}: the parameter {name!r} does not fit: {problem}.")


def _refused(message: str, hint: str = "") -> RunError:
    return RunError(message, hint=hint, retryable=False)
