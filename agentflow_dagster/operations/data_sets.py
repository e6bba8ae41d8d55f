"""The data sets of tests: files below the data folder, a case in each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import RunError, UsageError
from agentflow_dagster.graph.templates import fill
from agentflow_dagster.operations.project import Project
from agentflow_dagster.spec.diagnostics import Diagnostic, pointer, warning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.tests import Cases
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, Value

MAX_BYTES = 50_000_000
MAX_LOOKED_INTO = 5_000_000
"""Bytes of a data set up to which a check reads its columns; a check is to be quick."""
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def read_rows(data: Path | None, file: str) -> list[JsonObject]:
    """The rows of a data set; of `.csv` every value is a text.

    Args:
        data: The data folder.
        file: A path below it.

    Raises:
        UsageError: it cannot be read as rows.
    """
    from agentflow_dagster.sources.reading import Unreadable, read_content

    try:
        path = _path(data, file)
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"The data set {file!r} is over {MAX_BYTES // 1_000_000} MB.")
        rows = read_content(path.read_bytes(), path.name, "rows")
    except OSError as problem:
        raise UsageError(f"The data set {file!r} cannot be read: {problem.strerror}.") from None
    except Unreadable as problem:
        raise UsageError(f"The data set {file!r} cannot be read: {problem}") from None
    return cast("list[JsonObject]", rows)


def _path(data: Path | None, file: str) -> Path:
    """Where a data set lies.

    Raises:
        UsageError: there is none, or none that may be read.
    """
    if data is None:
        raise UsageError(f"The data set {file!r} cannot be read: there is no data folder.")
    path = (data / file).resolve()
    if not path.is_relative_to(data.resolve()):
        raise UsageError(f"The data set {file!r} lies outside of the data folder.")
    if path.exists() and not path.is_file():  # Reading a pipe would never end.
        raise UsageError(f"The data set {file!r} is no file.")
    return path


def picked_rows(rows: Sequence[JsonObject], cases: Cases) -> list[JsonObject]:
    """The rows that a test asks for.

    Raises:
        UsageError: `where` is not true or false of a row.
    """
    if cases.where is None:
        return list(rows[: cases.limit])
    picked: list[JsonObject] = []
    for number, row in enumerate(rows, start=1):
        try:
            chosen = fill(cases.where, {"case": cast("Value", row)})
        except RunError as problem:
            raise UsageError(f"`where` cannot be asked of row {number}: {problem}") from None
        if not isinstance(chosen, bool):
            raise UsageError(f"`where` is {chosen!r} of row {number}, neither true nor false.")
        if chosen:
            picked.append(row)
        if len(picked) == cases.limit:
            break
    return picked


def row_schemas(
    agent: Agent, folder: Path | None
) -> tuple[Mapping[str, JsonSchema], list[Diagnostic]]:
    """The JSON Schema of a row of each data set that the agent's tests name, and which of them
    cannot be read here.

    Args:
        agent: Whose tests.
        folder: A folder of the project whose data folder counts; None for the current one.
    """
    found: dict[str, JsonSchema] = {}
    problems: list[Diagnostic] = []
    data: Path | None = None
    asked = {name: test.cases for name, test in agent.spec.tests.items() if test.cases}
    if asked:
        try:
            data = Project.find(folder).data
        except UsageError:
            data = None
    for name, cases in asked.items():
        try:
            if cases.file not in found:
                path = _path(data, cases.file)
                large = path.is_file() and path.stat().st_size > MAX_LOOKED_INTO
                found[cases.file] = {} if large else _row_schema(read_rows(data, cases.file))
        except UsageError as problem:
            place = pointer("spec", "tests", name, "cases", "file")
            hint = "Data sets lie below `notebooks/data`, or the folder that AGENTFLOW_DATA names."
            problems.append(warning("AF859", problem.message, pointer=place, hint=hint))
    return found, problems


def _row_schema(rows: Sequence[JsonObject]) -> JsonSchema:
    """What expressions see of a row: every column, with its type where all rows agree."""
    columns: dict[str, set[type]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, set()).add(type(value))
    properties: JsonSchema = {}
    for name, types in columns.items():
        (first, *others) = types
        known = not others and first in _TYPES
        properties[name] = {"type": _TYPES[first]} if known else {}
    return {"type": "object", "properties": properties, "additionalProperties": False}
