"""Fills a Jinja template, for `transform.format`."""

from __future__ import annotations

from typing import Any, cast


def work(template: str, values: dict[str, object], escape: str, limit: int) -> dict[str, object]:
    """The template's text, of at most `limit` characters."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=escape == "html", keep_trailing_newline=True
    )
    pieces: list[str] = []
    left = limit
    try:
        for piece in environment.from_string(template).generate(**_plain(values)):
            left -= len(piece)
            if left < 0:
                return {"failure": f"The text would have more than {limit:,} characters."}
            pieces.append(piece)
    except Exception as problem:  # noqa: BLE001 - a template may raise anything
        return {"failure": f"The template failed: {type(problem).__name__}: {problem}."}
    return {"result": "".join(pieces)}


def _plain(value: Any) -> Any:
    """The value with tables as lists of rows: a DataFrame has methods that write files."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _plain(inner) for name, inner in fields.items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_plain(inner) for inner in items]
    if hasattr(value, "to_dict"):
        return value.to_dict("records")
    return value
