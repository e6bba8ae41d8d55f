"""Where the cells of a notebook stand in the text of its file, so that one can be changed and every
other byte be left."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text: from `start` to before `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CellPlace:
    """Where one cell stands.

    Args:
        whole: The cell, from `{` to `}`.
        source: The value of its `source`; None where it has none.
        metadata: The value of its `metadata`; None where it has none.
    """

    whole: Span
    source: Span | None
    metadata: Span | None


def cell_places(text: str) -> list[CellPlace]:
    """Where each cell stands in the text of an .ipynb file that can be read."""
    cells = dict(_fields(text, _past(text, 0)))["cells"]
    return [_place(text, span) for span in _items(text, cells.start)]


def metadata_place(text: str) -> Span | None:
    """Where the notebook's own metadata stands; None where it has none."""
    return dict(_fields(text, _past(text, 0))).get("metadata")


def _place(text: str, span: Span) -> CellPlace:
    fields = dict(_fields(text, span.start))
    return CellPlace(span, fields.get("source"), fields.get("metadata"))


def _fields(text: str, at: int) -> Iterator[tuple[str, Span]]:
    """The values of an object that begins at `{`, by name."""
    at = _past(text, at + 1)
    while text[at] != "}":
        name, at = cast("tuple[str, int]", _DECODER.raw_decode(text, at))
        at = _past(text, _past(text, at) + 1)  # the colon
        span = Span(at, _DECODER.raw_decode(text, at)[1])
        yield name, span
        at = _past(text, span.end)
        if text[at] == ",":
            at = _past(text, at + 1)


def _items(text: str, at: int) -> Iterator[Span]:
    """The values of a list that begins at `[`."""
    at = _past(text, at + 1)
    while text[at] != "]":
        span = Span(at, _DECODER.raw_decode(text, at)[1])
        yield span
        at = _past(text, span.end)
        if text[at] == ",":
            at = _past(text, at + 1)


def _past(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()
