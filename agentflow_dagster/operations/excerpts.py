"""The line of an author's file that a diagnostic is about, and how much of it is meant."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from agentflow_dagster.spec.diagnostics import Diagnostic

_TOKEN = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s:,\[\]{}#]+)""")
_WIDTH = 100
_SHOWS_A_SECRET = frozenset({"AF503", "AF504"})


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One line of a file.

    Args:
        number: Of the line, from 1; in a notebook within its cell.
        text: The line, tabs as spaces, cut where it is very long.
        start, length: The characters that are meant, from 0.
    """

    number: int
    text: str
    start: int
    length: int


def excerpt(source: str, found: Diagnostic) -> Excerpt | None:
    """The line that a diagnostic is about; None where it names none, or where it holds a secret.

    Args:
        source: The file's text: YAML, JSON, or a notebook.
        found: With its place in that file.
    """
    if found.line is None or found.code in _SHOWS_A_SECRET:
        return None
    text = source if found.cell is None else _cell(source, found.cell)
    lines = text.split("\n")
    if not 0 < found.line <= len(lines):
        return None
    line = lines[found.line - 1].rstrip("\r").replace("\t", " ")
    start = min(max((found.column or 1) - 1, 0), len(line))
    match = _TOKEN.match(line, start)
    length = max((match.end() if match else start + 1) - start, 1)
    shift = max(0, start - _WIDTH // 2) if len(line) > _WIDTH else 0
    shown = line[shift : shift + _WIDTH]
    return Excerpt(found.line, shown, start - shift, min(length, _WIDTH - (start - shift)))


def _cell(source: str, index: int) -> str:
    """The text of a notebook's cell; "" where the file is not what it was."""
    try:
        notebook = cast("dict[str, Any]", json.loads(source))
        text: Any = notebook["cells"][index]["source"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return ""
    return "".join(cast("list[str]", text)) if isinstance(text, list) else str(text)
