"""A file's bytes as what an event holds: text, JSON, or rows."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonValue

_SEPARATORS = {".csv": ",", ".tsv": "\t"}


class Unreadable(Exception):
    """The content is not what the trigger reads; the message says why."""


def read_content(data: bytes, path: str, form: Literal["text", "json", "rows"]) -> JsonValue:
    """The content, as the trigger's `read` says.

    Rows are objects: of `.csv` and `.tsv` by their header, every value a text; of `.jsonl` a line
    each; of `.json` a list.

    Raises:
        Unreadable: it is not that.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise Unreadable(f"Not UTF-8: {problem.reason} at byte {problem.start}.") from None
    if "\0" in text:
        raise Unreadable("It holds a zero byte, so it is no text.")
    match form:
        case "text":
            return text
        case "json":
            return _json(text)
        case "rows":
            return cast("JsonValue", _rows(text, "." + path.rpartition(".")[2].lower()))


def _rows(text: str, suffix: str) -> list[JsonValue]:
    if suffix in _SEPARATORS:
        return _table(text, _SEPARATORS[suffix])
    if suffix in {".jsonl", ".ndjson"}:
        rows = [_json(line) for line in text.splitlines() if line.strip()]
    elif suffix == ".json":
        loaded = _json(text)
        if not isinstance(loaded, list):
            raise Unreadable("The JSON is no list of rows.")
        rows = loaded
    else:
        raise Unreadable(f"Rows are read of .csv, .tsv, .jsonl and .json, not of {suffix!r}.")
    if not all(isinstance(row, dict) for row in rows):
        raise Unreadable("A row is no object.")
    return rows


def _table(text: str, separator: str) -> list[JsonValue]:
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as problem:
        raise Unreadable(f"Not a table: {problem}.") from None
    if not lines:
        raise Unreadable("It is empty; the first line names the columns.")
    header, *rows = lines
    if len(set(header)) != len(header):
        raise Unreadable("Two columns have one name.")
    for number, row in enumerate(rows, start=2):
        if row and len(row) != len(header):
            raise Unreadable(f"Row {number} has {len(row)} values for {len(header)} columns.")
    return [dict(zip(header, row, strict=True)) for row in rows if row]


def _json(text: str) -> JsonValue:
    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    try:
        return cast("JsonValue", json.loads(text, parse_constant=refuse))
    except (ValueError, RecursionError) as problem:
        raise Unreadable(f"Not JSON: {problem}.") from None
