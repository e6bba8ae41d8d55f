"""Texts with expressions in them: `Reply to: {{input.body}}`.

A text that is one expression alone keeps the type of its value; with text around it, every
expression is made a string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from agentflow_dagster.spec.diagnostics import Diagnostic, error

_STOP = re.compile(r"""["'{}]""")
_QUOTES = ('"""', "'''", '"', "'")


@dataclass(frozen=True, slots=True)
class Expression:
    """The CEL source between `{{` and `}}`, and where in the text it begins (characters)."""

    source: str
    offset: int


@dataclass(frozen=True)
class ParsedTemplate:
    """A text cut at its expressions, in order."""

    pieces: tuple[str | Expression, ...]

    @cached_property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions alone."""
        return tuple(p for p in self.pieces if isinstance(p, Expression))

    @cached_property
    def single(self) -> Expression | None:
        """The expression, where the text is nothing but one."""
        match self.pieces:
            case (Expression() as only,):
                return only
            case _:
                return None


@lru_cache(maxsize=4096)
def parse(text: str) -> ParsedTemplate | Diagnostic:
    """Cuts a text at its expressions; an unclosed one is a diagnostic (AF200)."""
    pieces: list[str | Expression] = []
    at = 0
    while (start := text.find("{{", at)) >= 0:
        end = _end_of_expression(text, start + 2)
        if end is None:
            return error(
                "AF200",
                f"'{{{{' at character {start + 1} is never closed.",
                hint="Close it with '}}'; write a literal '{{' as {{'{{'}}.",
            )
        if start > at:
            pieces.append(text[at:start])
        pieces.append(Expression(text[start + 2 : end].strip(), start + 2 + _indent(text, start)))
        at = end + 2
    if at < len(text):
        pieces.append(text[at:])
    return ParsedTemplate(tuple(pieces))


def has_expression(text: str) -> bool:
    """Whether a text has anything to evaluate."""
    return "{{" in text


def _indent(text: str, start: int) -> int:
    body = text[start + 2 :]
    return len(body) - len(body.lstrip())


def _end_of_expression(text: str, at: int) -> int | None:
    """Where the closing `}}` stands, past strings and nested braces."""
    depth = 0
    while at < len(text):
        stop = _STOP.search(text, at)
        if stop is None:
            return None
        at = stop.start()
        if quote := next((q for q in _QUOTES if text.startswith(q, at)), None):
            at = _end_of_string(text, at, quote)
        elif text[at] == "{":
            depth, at = depth + 1, at + 1
        elif text[at] == "}" and depth:
            depth, at = depth - 1, at + 1
        elif text.startswith("}}", at):
            return at
        else:
            at += 1
    return None


def _end_of_string(text: str, at: int, quote: str) -> int:
    raw = at > 0 and text[at - 1] in "rR"
    at += len(quote)
    while at < len(text):
        if text[at] == "\\" and not raw:
            at += 2
        elif text.startswith(quote, at):
            return at + len(quote)
        else:
            at += 1
    return at
