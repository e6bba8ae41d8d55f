"""Texts with expressions: found, checked and filled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflow_dagster.errors import RunError
from agentflow_dagster.graph.templates import TemplateText, check_fit, check_text, fill, find, roots
from agentflow_dagster.spec.values import TABLE, Part
from tests.support.properties import VALUES, patiently

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonSchema, JsonValue, Value

SCOPE: dict[str, JsonSchema] = {
    "input": {
        "type": "object",
        "properties": {"body": {"type": "string"}, "count": {"type": "integer"}},
    }
}
VALUES_IN_SCOPE: dict[str, Value] = {
    "input": {"body": "hi", "count": 3, "price": 2.0, "half": 0.5, "list": [1, "é"], "none": None}
}


def test_every_text_with_an_expression_is_found_with_its_path() -> None:
    tree: JsonValue = {"a": "plain", "b": ["{{x}}", {"c": "y {{z}}"}], "{{k}}": 1}
    assert list(find(tree, ("with",))) == [
        TemplateText(("with", "b", 0), "{{x}}"),
        TemplateText(("with", "b", 1, "c"), "y {{z}}"),
    ]


def test_what_several_texts_read() -> None:
    texts = [
        TemplateText((), "{{a.x}} {{b.y}}"),
        TemplateText((), "{{a.z}}"),
        TemplateText((), "{{"),
    ]
    found = roots(texts)
    assert {root: [read.path for read in reads] for root, reads in found.items()} == {
        "a": [("x",), ("z",)],
        "b": [("y",)],
    }


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("{{input.count}}", {"type": "integer"}),
        ("{{input.count}} pieces", {"type": "string"}),
        ("{{input.count}}{{input.body}}", {"type": "string"}),
    ],
)
def test_the_schema_of_a_text(text: str, schema: JsonSchema) -> None:
    assert check_text(TemplateText(("a",), text), SCOPE) == (schema, [])


def test_every_expression_of_a_text_is_judged() -> None:
    text = TemplateText(("spec", "x"), "a {{input.bdy}} b {{ input.cnt }}")
    schema, problems = check_text(text, SCOPE)
    assert schema == {}
    assert [(d.code, d.pointer) for d in problems] == [("AF203", "/spec/x"), ("AF203", "/spec/x")]
    assert "at character 11." in problems[0].message
    assert "at character 28." in problems[1].message


def test_an_open_expression_is_told_with_its_pointer() -> None:
    _, (problem,) = check_text(TemplateText(("spec", "x"), "a {{input.body"), SCOPE)
    assert (problem.code, problem.pointer) == ("AF200", "/spec/x")


@pytest.mark.parametrize(
    ("found", "wanted", "message", "hint"),
    [
        ("integer", "string", "`n` takes a string, and this gives an integer.", "string(…)"),
        ("string", "number", "`n` takes a number, and this gives a string.", "double(…)"),
        ("number", "integer", "`n` takes an integer, and this gives a number.", "int(…)"),
        ("string", "boolean", "`n` takes a boolean, and this gives a string.", "Compare it"),
        ("string", "object", "`n` takes an object, and this gives a string.", ""),
    ],
)
def test_a_value_that_does_not_fit(found: str, wanted: str, message: str, hint: str) -> None:
    (problem,) = check_fit(("with", "n"), {"type": found}, {"type": wanted})
    assert (problem.code, problem.pointer, problem.message) == ("AF206", "/with/n", message)
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ({"type": "integer"}, {"type": "number"}),
        ({}, {"type": "string"}),
        ({"type": "string"}, {}),
        ({"type": "integer"}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ({"enum": ["a"]}, {"type": "string"}),
        ({"anyOf": [{"const": "a"}, {"const": "b"}]}, {"type": "string"}),
        ({"anyOf": [True]}, {"type": "string"}),
        ({"type": ["string", "null"]}, {"type": "string"}),
    ],
)
def test_what_fits_as_far_as_types_tell(found: JsonSchema, wanted: JsonSchema) -> None:
    assert list(check_fit(("n",), found, wanted)) == []


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{input.count}}", 3),
        ("{{input.count}}!", "3!"),
        ("{{input.price}} {{input.half}}", "2 0.5"),
        ("{{input.list}} and {{input.none}}", '[1, "é"] and null'),
        ("{{input.body == 'hi'}}", True),
        ("it is {{input.body == 'hi'}}", "it is true"),
        ("{{'{{'}}", "{{"),
        ({"a": ["{{input.body}}", 1], "b": "x"}, {"a": ["hi", 1], "b": "x"}),
        (None, None),
    ],
)
def test_filling(template: JsonValue, expected: Value) -> None:
    assert fill(template, VALUES_IN_SCOPE) == expected


def test_a_table_goes_through_whole_and_shows_as_its_summary_in_a_text() -> None:
    table = Part(TABLE, b"arrow", {"rows": 2})
    assert fill("{{t}}", {"t": table}) is table
    assert fill("got {{t}}", {"t": table}) == 'got {"$part": "p0", "rows": 2}'


@pytest.mark.parametrize("template", ["{{", "{{input.zz}}", "{{input.count +}}", ["{{1 / 0}}"]])
def test_filling_that_fails_is_not_tried_again(template: JsonValue) -> None:
    with pytest.raises(RunError) as caught:
        fill(template, VALUES_IN_SCOPE)
    assert not caught.value.retryable


def without_braces(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return value.replace("{{", "")
        case dict():
            return {key: without_braces(inner) for key, inner in value.items()}
        case list():
            return [without_braces(inner) for inner in value]
        case _:
            return value


@patiently()
@given(VALUES)
def test_a_tree_without_expressions_stays_as_it_is(tree: JsonValue) -> None:
    plain = without_braces(tree)
    assert fill(plain, {}) == plain


@patiently(200)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_a_text_comes_through_in_quotes_or_as_a_value(text: str) -> None:
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    quoted = quoted.replace("\r", "\\r")
    assert fill("{{" + quoted + "}}", {}) == text
    assert fill("{{x}}", {"x": text}) == text
    assert fill("<{{x}}>", {"x": text}) == f"<{text}>"
