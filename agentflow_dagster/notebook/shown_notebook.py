"""A notebook as it is shown: what its cells hold and gave, redacted; the file stays a notebook."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.spec.values import JsonValue

_TOLD = frozenset({"source", "text", "evalue", "traceback", "parameters"})
_READ = ("text/", "application/json", "application/vnd")


def shown_notebook(text: str, shown: Callable[[str], str]) -> str:
    """The notebook's JSON with its cells' texts as they are shown. Pictures are left as they are.

    Args:
        text: The notebook.
        shown: Redacts a text.
    """
    if shown is str:
        return text
    document = json.loads(text)
    return json.dumps(_walked(document, shown), ensure_ascii=False, indent=1) + "\n"


def _walked(value: JsonValue, shown: Callable[[str], str]) -> JsonValue:
    match value:
        case dict():
            return {
                name: _all(inner, shown)
                if name in _TOLD or name.startswith(_READ)
                else _walked(inner, shown)
                for name, inner in value.items()
            }
        case list():
            return [_walked(inner, shown) for inner in value]
        case _:
            return value


def _all(value: JsonValue, shown: Callable[[str], str]) -> JsonValue:
    """Every text below; lines of one text are looked at together."""
    match value:
        case str():
            return shown(value)
        case list():
            lines = [line for line in value if isinstance(line, str)]
            if lines and len(lines) == len(value):
                return [*shown("".join(lines)).splitlines(keepends=True)]
            return [_all(inner, shown) for inner in value]
        case dict():
            return {shown(name): _all(inner, shown) for name, inner in value.items()}
        case bool() | None:
            return value
        case _:
            told = shown(str(value))
            return value if told == str(value) else told
