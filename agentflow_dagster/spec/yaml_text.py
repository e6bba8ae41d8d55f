"""JSON values as YAML 1.2 text: over several lines (block style) or on one (flow style).

Our own, since ruamel's emitter does not give back every text: in a literal block it drops carriage
returns and writes control characters that no reader takes.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from agentflow_dagster.spec.yaml_tree import core_value

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue

INDENT = 2
WIDTH = 100
_LONGEST_KEY = 1_000
"""A key may have 1,024 characters (YAML 1.2, chapter 7.4.2); a longer one is written after `? `."""

_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON allows in a text and YAML does not, or takes for a line's end."""
_NOT_LITERAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_PLAIN = re.compile(r"[^\s\-?:,\[\]{}#&*!|>'\"%@`](?:[^\n\r\t]*[^\s:])?")


def write_yaml(document: JsonObject) -> str:
    """A document as a fresh file: block style, texts of several lines as they are (`|`).

    Raises:
        ValueError: a number is not finite.
    """
    rows = lines(document, -INDENT)
    return "\n".join(rows[1:] or rows) + "\n"


def lines(value: JsonValue, column: int) -> list[str]:
    """The value in block style; every line but the first is indented for a parent at `column`.

    An empty first line means that the value begins on the next line.
    """
    match value:
        case dict() if value:
            return ["", *_indented(value, column)]
        case list() if value:
            return ["", *_listed(value, column)]
        case str() if "\n" in value and (block := literal(value, column)):
            return block
        case _:
            return [flow(value, inside=False)]


def entry(key: str, value: JsonValue, column: int, *, inline: bool = False) -> list[str]:
    """`key: value` at a column; inline on one line. The first line has no indentation."""
    head, *rest = [flow(value, inside=False)] if inline else lines(value, column)
    name = scalar(key)
    if len(name) > _LONGEST_KEY:
        return [f"? {name}", f"{' ' * column}:{' ' * bool(head)}{head}", *rest]
    return [f"{name}:{' ' * bool(head)}{head}", *rest]


def item(value: JsonValue, column: int, *, inline: bool = False) -> list[str]:
    """`- value` with its dash at a column. The first line has no indentation."""
    head, *rest = [flow(value, inside=False)] if inline else lines(value, column)
    if not head:  # A mapping or list begins behind its dash, where its other lines stand.
        first, *rest = lines(value, column)[1:]
        return [f"- {first.lstrip(' ')}", *rest]
    return [f"- {head}", *rest]


def flow(value: JsonValue, *, inside: bool = True) -> str:
    """The value on one line; `inside` of another in flow style, fewer texts can be plain."""
    match value:
        case dict():
            return "{" + ", ".join(flow_entry(k, v) for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(flow(v) for v in value) + "]"
        case str():
            return scalar(value, inside=inside)
        case float() if not math.isfinite(value):
            raise ValueError(f"{value} has no JSON form")
        case float():
            return repr(value)
        case _:
            return json.dumps(value)


def flow_entry(key: str, value: JsonValue) -> str:
    """`key: value` inside a mapping in flow style."""
    name = scalar(key, inside=True)
    return f"{'? ' if len(name) > _LONGEST_KEY else ''}{name}: {flow(value)}"


def scalar(text: str, *, inside: bool = False) -> str:
    """A text on one line: plain where that means the same, else in double quotes."""
    if _PLAIN.fullmatch(text) is None or ": " in text or " #" in text:
        return quoted(text)
    if text in {"<<", "="} or text.startswith("..."):  # Words of YAML 1.1, and a document's end.
        return quoted(text)
    if _NOT_LITERAL.search(text) or (inside and re.search(r"[,\[\]{}]", text)):
        return quoted(text)
    try:
        return text if core_value(text) == text else quoted(text)
    except ValueError:
        return quoted(text)


def quoted(text: str) -> str:
    """A text in double quotes, with JSON's escapes: it is JSON too."""
    return as_json(text)


def requoted(text: str, style: str, *, inside: bool = False) -> str:
    """A text on one line, in quotes of a style where they can hold it."""
    if style == '"':
        return quoted(text)
    if style == "'" and "\n" not in text and not _NOT_LITERAL.search(text):
        return "'" + text.replace("'", "''") + "'"
    return scalar(text, inside=inside)


def restyled(text: str, style: str, column: int) -> list[str]:
    """A text in the quotes or the block that its place had, where they can hold it."""
    block = folded(text, column) if style == ">" else None
    if style in {"|", ">"} and (block := block or literal(text, column)):
        return block
    if style in {"'", '"'} and (style == '"' or "\n" not in text):
        return [requoted(text, style)]
    return lines(text, column)


def folded(text: str, column: int) -> list[str] | None:
    """One paragraph under `>`, wrapped; None where that would not give it back."""
    body = text.removesuffix("\n")
    words = body.split(" ")
    if _NOT_LITERAL.search(text) or re.search(r"[\n\t]", body) or not all(words):
        return None
    margin = " " * (column + INDENT)
    rows: list[str] = []
    for word in words:
        if rows and len(rows[-1]) + 1 + len(word) <= WIDTH:
            rows[-1] += f" {word}"
        else:
            rows.append(margin + word)
    return [">" if text.endswith("\n") else ">-", *rows]


def as_json(value: JsonValue) -> str:
    """The value as JSON on one line, escaped so that it is YAML too.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def literal(text: str, column: int) -> list[str] | None:
    """A text as it is, under `|`; None where that would not give it back."""
    body = text.removesuffix("\n")
    if _NOT_LITERAL.search(text) or not body.strip() or body.endswith("\n"):
        return None
    indentation = str(INDENT) if body[0] in " \n" else ""
    chomping = "" if text.endswith("\n") else "-"
    margin = " " * (column + INDENT)
    return [f"|{indentation}{chomping}", *(margin + row if row else "" for row in body.split("\n"))]


def _indented(value: JsonObject, column: int) -> list[str]:
    margin = " " * (column + INDENT)
    rows: list[str] = []
    for key, inner in value.items():
        first, *rest = entry(key, inner, column + INDENT)
        rows += [margin + first, *rest]
    return rows


def _listed(value: list[JsonValue], column: int) -> list[str]:
    margin = " " * (column + INDENT)
    rows: list[str] = []
    for inner in value:
        first, *rest = item(inner, column + INDENT)
        rows += [margin + first, *rest]
    return rows
