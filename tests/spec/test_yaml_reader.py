"""YAML 1.2 to JSON values: the core schema, places, limits, and a diagnostic for all else."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentflow_dagster.spec.diagnostics import Position
from agentflow_dagster.spec.yaml_reader import MAX_CHARACTERS, read_yaml
from tests.support.documents import SAMPLE
from tests.support.properties import VALUES, patiently

YAML_PIECES = st.sampled_from(
    [
        *"abc 12:-?,[]{}#&*!|>'\"%@`<~\t.",
        *("\n", "\n  ", "\n    ", "- ", ": ", "? ", "{{", "}}", "<<: ", "\r\n", "\ufeff", "\x85"),
        *("\u2028", "---\n", "...\n", "%YAML 1.1\n", "%TAG ! x\n", "|2", "|+\n", ">-\n", "!!str "),
        *("!<x>", "&a ", "*a", "\\x4", "\\ud83d", "é", "🎫", "\x00", "\ud83d", "a: ", "b: 1\n"),
    ]
)


def value(text: str) -> object:
    source = read_yaml(f"x: {text}\n")
    assert not source.diagnostics, source.diagnostics
    assert source.document is not None
    return source.document["x"]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("no", "no"),
        ("null", None),
        ("~", None),
        ("", None),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("12", 12),
        ("012", 12),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1:30", "1:30"),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".5e2", 50.0),
        ("1.", 1.0),
        ("1.5e-3", 0.0015),
        ("2024-01-01", "2024-01-01"),
        ('"12"', "12"),
        ("'true'", "true"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("!!int 12", 12),
        ("!!float 1", 1),
        ("=", "="),
        ('"\\ud83c\\udfab"', "🎫"),
        ("|\n  a\n  b", "a\nb\n"),
        (">-\n  a\n  b", "a b"),
    ],
)
def test_scalars_mean_what_the_core_schema_says(text: str, meaning: object) -> None:
    found = value(text)
    assert found == meaning
    assert type(found) is type(meaning)


def test_keys_are_texts_as_they_are_written() -> None:
    source = read_yaml("1: a\ntrue: b\n~: c\n0x1F: d\n")
    assert source.document == {"1": "a", "true": "b", "~": "c", "0x1F": "d"}


def test_aliases_are_written_out() -> None:
    source = read_yaml("a: &x {k: [1, 2]}\nb: *x\n&y c: *x\n*y : 4\n")
    assert [d.code for d in source.diagnostics] == ["AF107"]
    assert source.document == {"a": {"k": [1, 2]}, "b": {"k": [1, 2]}, "c": {"k": [1, 2]}}


def test_every_pointer_has_its_place() -> None:
    text = "a: 1\nb/c:\n  - x: ok\n  - [1, {d~: 2}]\n"
    positions = read_yaml(text).positions
    assert positions == {
        "": Position(1, 1),
        "/a": Position(1, 1),
        "/b~1c": Position(2, 1),
        "/b~1c/0": Position(3, 5),
        "/b~1c/0/x": Position(3, 5),
        "/b~1c/1": Position(4, 5),
        "/b~1c/1/0": Position(4, 6),
        "/b~1c/1/1": Position(4, 9),
        "/b~1c/1/1/d~0": Position(4, 10),
    }


@pytest.mark.parametrize(
    ("text", "code", "place", "hint"),
    [
        ("", "AF101", None, "apiVersion"),
        ("# nothing\n", "AF101", None, "apiVersion"),
        ("- a\n", "AF101", None, "apiVersion"),
        ("a: [1\n", "AF102", (2, 1), ""),
        ("a: b: c\n", "AF102", (1, 5), 'Quote a text that holds ": "'),
        ("a:\n\t- b\n", "AF102", (2, 1), "Indent with spaces"),
        ("a: @b\n", "AF102", (1, 4), "Quote a text that begins with this"),
        ("a: 1\nb: \x01\n", "AF102", (2, 4), ""),
        ("a: 1\n---\nb: 2\n", "AF102", (2, 1), "one agent in a file"),
        ("a: *b\n", "AF102", (1, 4), ""),
        ("a: &x [*x]\n", "AF102", (1, 8), ""),
        ("a: {{input.body}} and more\n", "AF102", (1, 19), "Quote a value that begins with {{"),
        ("a: {{input.body}}\n", "AF105", (1, 5), "Quote a value that begins with {{"),
        ("- b\n- {{a}}\n", "AF105", (2, 4), "Quote a value that begins with {{"),
        ("? [a]\n: b\n", "AF105", (1, 3), ""),
        ("a: {x: 1}\n<<: {y: 2}\n", "AF106", (2, 1), "Write the fields out"),
        ("a: 1\nb: 2\na: 3\n", "AF107", (3, 1), "Keep one"),
        ("a: !python/object b\n", "AF108", (1, 4), "Take it out"),
        ("a: !!set {b}\n", "AF108", (1, 4), "Take it out"),
        ("a: !!int b\n", "AF108", (1, 4), "Take it out"),
        ("a: !!bool 1\n", "AF108", (1, 4), "Take it out"),
        ("a: .nan\n", "AF117", (1, 4), "Quote it"),
        ("a: -.INF\n", "AF117", (1, 4), "Quote it"),
        ("a: 1e999\n", "AF117", (1, 4), "Quote it"),
        (f"a: {'9' * 5000}\n", "AF117", (1, 4), "Quote it"),
        ('a: "\\ud83c"\n', "AF117", (1, 4), ""),
        ("[" * 70, "AF104", (1, 65), ""),
        ("x" * (MAX_CHARACTERS + 1), "AF100", None, ""),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_refused(text: str, code: str, place: tuple[int, int] | None, hint: str) -> None:
    (found,) = read_yaml(text).diagnostics
    assert found.code == code
    assert found.severity == "error"
    assert hint in found.hint
    if place is not None:
        assert (found.line, found.column) == place


def test_a_bomb_of_aliases_is_counted_written_out() -> None:
    bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
        for before, name in zip("abcdef", "bcdefg", strict=True)
    )
    (found,) = read_yaml(bomb).diagnostics
    assert (found.code, found.message) == (
        "AF103",
        "More than 500,000 values, aliases written out.",
    )


def test_deep_nesting_is_refused_before_it_is_built() -> None:
    (found,) = read_yaml("- " * 100_000).diagnostics
    assert found.code == "AF104"


def test_the_sample_is_read() -> None:
    source = read_yaml(SAMPLE)
    assert source.diagnostics == ()
    assert source.document is not None
    assert list(source.document) == ["apiVersion", "kind", "metadata", "spec", "layout"]


@patiently()
@given(VALUES, st.booleans(), st.sampled_from([None, 2, "\t"]))
@example({"🎫": "\ud7ff\uffff\x7f\x85"}, True, 2)
def test_json_is_yaml(tree: object, ascii_only: bool, indent: int | str | None) -> None:
    escaped = json.dumps({"x": tree}, ensure_ascii=ascii_only, indent=indent)
    for character in "\x7f\x80\x85\x9f\ufeff\ufffe\uffff":
        escaped = escaped.replace(character, f"\\u{ord(character):04x}")
    escaped = "".join(c if _is_printable(c) else f"\\u{ord(c):04x}" for c in escaped)
    source = read_yaml(escaped)
    assert source.diagnostics == ()
    assert source.document == {"x": tree}


@patiently(300)
@given(st.lists(YAML_PIECES, max_size=40).map("".join) | st.text())
@example("a: &x\n*x: 1\n")
@example("? ? ? a\n")
@example('"\\')
@example("%YAML 3.0\n---\na: 1\n")
def test_no_text_makes_it_raise(text: str) -> None:
    source = read_yaml(text)
    assert source.document is not None or source.diagnostics


@patiently(150)
@given(
    st.integers(0, len(SAMPLE)), st.integers(0, 3), st.lists(YAML_PIECES, max_size=3).map("".join)
)
def test_no_slip_of_the_pen_makes_it_raise(at: int, deleted: int, typed: str) -> None:
    source = read_yaml(SAMPLE[:at] + typed + SAMPLE[at + deleted :])
    assert source.document is not None or source.diagnostics


def _is_printable(character: str) -> bool:
    """YAML's c-printable; JSON allows more, unescaped."""
    code = ord(character)
    return (
        code in {0x9, 0xA, 0xD, 0x85}
        or 0x20 <= code <= 0x7E
        or 0xA0 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or code >= 0x10000
    )
