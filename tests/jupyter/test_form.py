"""Forms out of JSON Schemas, and inputs out of forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.jupyter.form import form_fields, read_form

if TYPE_CHECKING:
    from agentflow_dagster.jupyter.form import FormField

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["body", "count"],
    "$defs": {"label": {"type": "string", "enum": ["bug", "howto"]}},
    "properties": {
        "body": {"type": "string", "description": "The text", "maxLength": 20},
        "subject": {"type": "string", "default": "No subject", "title": "Subject line"},
        "count": {"type": "integer", "minimum": 1, "maximum": 80},
        "rate": {"type": "number"},
        "urgent": {"type": "boolean", "default": True},
        "tone": {"enum": ["formal", 3, None]},
        "label": {"$ref": "#/$defs/label"},
        "day": {"type": "string", "format": "date"},
        "maybe": {"type": ["string", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}, "default": ["a"]},
        "more": {"type": "object", "properties": {"n": {"type": "integer"}}},
        "any": True,
    },
}


def by_name(schema: dict[str, Any]) -> dict[str, FormField]:
    return {field.name: field for field in form_fields(schema)}


def test_kinds_follow_the_types() -> None:
    assert {name: field.kind for name, field in by_name(SCHEMA).items()} == {
        "body": "text",
        "subject": "text",
        "count": "integer",
        "rate": "number",
        "urgent": "boolean",
        "tone": "choice",
        "label": "choice",
        "day": "date",
        "maybe": "text",
        "tags": "json",
        "more": "json",
        "any": "json",
    }


def test_what_a_field_says() -> None:
    fields = by_name(SCHEMA)
    assert (fields["body"].required, fields["body"].description) == (True, "The text")
    assert fields["body"].hint == "at most 20 characters"
    assert (fields["subject"].label, fields["subject"].initial) == ("Subject line", "No subject")
    assert fields["count"].hint == "whole number, 1 to 80"
    assert fields["urgent"].initial == "true"
    assert fields["tone"].choices == ('"formal"', "3", "null")
    assert fields["tags"].initial == '[\n  "a"\n]'


def test_values_that_are_given_go_before_defaults() -> None:
    (field, *_) = form_fields(SCHEMA, {"body": "Hello"})
    assert field.initial == "Hello"


def test_what_was_typed_becomes_the_input() -> None:
    typed = {
        "body": "It crashes",
        "count": "3",
        "rate": "2",
        "urgent": "false",
        "tone": "3",
        "label": '"bug"',
        "tags": '["x", "y"]',
        "more": '{"n": 1}',
        "subject": "  ",
    }
    input_, problems = read_form(SCHEMA, typed)
    assert problems == {}
    assert input_ == {
        "body": "It crashes",
        "subject": "No subject",
        "count": 3,
        "rate": 2.0,
        "urgent": False,
        "tone": 3,
        "label": "bug",
        "tags": ["x", "y"],
        "more": {"n": 1},
    }


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("body", "", "This has to be filled in."),
        ("body", "x" * 21, "is too long"),
        ("count", "many", "'many' is not a number."),
        ("count", "true", "'true' is not a number."),
        ("count", "2.5", "2.5 is not of type 'integer'."),
        ("count", "99", "99 is greater than the maximum of 80."),
        ("tags", '["a"', "Not JSON: Expecting ',' delimiter (line 1, column 5)."),
        ("tags", "[1]", "0: 1 is not of type 'string'."),
        ("more", '{"n": "x"}', "N: 'x' is not of type 'integer'."),
        ("label", '"other"', "'other' is not one of ['bug', 'howto']."),
    ],
)
def test_problems_stand_at_their_field(name: str, text: str, said: str) -> None:
    input_, problems = read_form(SCHEMA, {"body": "b", "count": "1", name: text})
    assert input_ is None
    assert problems.keys() == {name}
    assert said in problems[name]


def test_a_problem_of_the_whole_stands_at_no_field() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    input_, problems = read_form(schema, {})
    assert input_ is None
    assert problems.keys() == {""}


def test_no_fields() -> None:
    assert form_fields({"type": "object", "properties": {}}) == ()
    assert read_form({"type": "object", "properties": {}}, {}) == ({}, {})
