"""Texts with expressions in them, cut at the right places."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentflow_dagster.spec.diagnostics import Diagnostic
from agentflow_dagster.spec.template import Expression, ParsedTemplate, has_expression, parse
from tests.support.properties import patiently


def pieces(text: str) -> list[str | tuple[str, int]]:
    parsed = parse(text)
    assert isinstance(parsed, ParsedTemplate), parsed
    return [(p.source, p.offset) if isinstance(p, Expression) else p for p in parsed.pieces]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("plain } text }}", ["plain } text }}"]),
        ("{{a}}", [("a", 2)]),
        ("{{  a.b  }}", [("a.b", 4)]),
        ("{{}}", [("", 2)]),
        ("x {{a}} y {{b}}", ["x ", ("a", 4), " y ", ("b", 12)]),
        ("{{a}}{{b}}", [("a", 2), ("b", 7)]),
        ("{{ {'k': {'l': 1}} }}", [("{'k': {'l': 1}}", 3)]),
        ("{{{'k': 1}}}", [("{'k': 1}", 2)]),
        ("{{ '}}' }}", [("'}}'", 3)]),
        ('{{ "a\\"}}" + b }}', [('"a\\"}}" + b', 3)]),
        ("{{ r'\\' }}", [("r'\\'", 3)]),
        ("{{ br'\\' }}", [("br'\\'", 3)]),
        ("{{ '''it's }}''' }}", [("'''it's }}'''", 3)]),
        ("{{'{{'}}", [("'{{'", 2)]),
        ("🎫{{\n a }}", ["🎫", ("a", 5)]),
    ],
)
def test_where_a_text_is_cut(text: str, expected: list[str | tuple[str, int]]) -> None:
    assert pieces(text) == expected


def test_only_an_expression_alone_keeps_its_type() -> None:
    for text, alone in [
        ("{{a}}", True),
        (" {{a}}", False),
        ("{{a}}\n", False),
        ("{{a}}{{b}}", False),
    ]:
        parsed = parse(text)
        assert isinstance(parsed, ParsedTemplate)
        assert (parsed.single is not None) is alone


@pytest.mark.parametrize(
    ("text", "character"),
    [("a {{b", 3), ("{{a}} {{", 7), ("{{ {a }}", 1), ("{{ 'a }}", 1), ("{{ a }", 1)],
)
def test_what_is_never_closed(text: str, character: int) -> None:
    found = parse(text)
    assert isinstance(found, Diagnostic)
    assert (found.code, found.severity) == ("AF200", "error")
    assert f"at character {character} is never closed" in found.message
    assert "Close it with '}}'" in found.hint


@patiently(300)
@given(st.text("ab {}'\"\\r\n", max_size=30) | st.text(max_size=30))
@example("{{ 'a\\")
def test_nothing_is_lost(text: str) -> None:
    parsed = parse(text)
    if isinstance(parsed, Diagnostic):
        assert has_expression(text)
        return
    rest = text
    for piece in parsed.pieces:
        if isinstance(piece, str):
            assert piece
            assert rest.startswith(piece)
            rest = rest[len(piece) :]
        else:
            start = len(text) - len(rest)
            assert text.startswith("{{", start)
            assert text.startswith(piece.source, piece.offset)
            end = text.index("}}", piece.offset + len(piece.source)) + 2
            rest = text[end:]
    assert rest == ""
