"""A run's input: its schema, its defaults, and values that meet it or do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflow_dagster.errors import UsageError
from agentflow_dagster.graph.inputs import check_inputs, complete_input, conform
from tests.support.documents import SAMPLE, agent, minimal, placed
from tests.support.properties import OBJECTS, VALUES, patiently

if TYPE_CHECKING:
    from agentflow_dagster.spec.diagnostics import Diagnostic
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue, Value

SCHEMA: JsonSchema = {
    "type": "object",
    "required": ["body"],
    "properties": {
        "body": {"type": "string"},
        "price": {"type": "number", "default": 1},
        "share": {"type": ["number", "null"]},
        "count": {"type": "integer"},
        "rows": {
            "type": "array",
            "items": {"type": "object", "properties": {"x": {"type": "number"}}},
        },
        "rates": {"type": "object", "additionalProperties": {"type": "number"}},
        "free": True,
    },
}


def found(inputs: JsonObject) -> list[Diagnostic]:
    given = minimal({"a": {"kind": "ai.chat", "with": {"prompt": "x"}}}, inputs=inputs)
    return list(check_inputs(agent(given)))


@pytest.mark.parametrize(
    ("inputs", "code", "pointer", "message", "hint"),
    [
        ({"type": "objekt"}, "AF114", "/type", "'objekt'", "The types are string"),
        ({"required": "body"}, "AF114", "/required", "'body' is not of type 'array'", ""),
        ({"properties": {"a": 5}}, "AF114", "/properties/a", "5 is not of type", ""),
        ({"properties": {"a": {"pattern": "["}}}, "AF114", "/properties/a/pattern", "'['", ""),
        (
            {"properties": {"a": {"$ref": "#/$defs/b"}}},
            "AF114",
            "/properties/a/$ref",
            "nothing",
            "#/$defs/",
        ),
        ({"$ref": "http://127.0.0.1:1/x.json"}, "AF114", "/$ref", "refers to nothing in it", ""),
        ({"type": "array"}, "AF115", "/type", "must describe an object", "type: object"),
        ({"type": ["object", "null"]}, "AF115", "/type", "must describe an object", "type: object"),
        (
            {"properties": {"a": {"type": "string", "default": 5}}},
            "AF116",
            "/properties/a/default",
            "5 is not of type 'string'",
            "Change the default",
        ),
        (
            {"properties": {"a": {"$ref": "#/properties/a", "default": 5}}},
            "AF116",
            "/properties/a/default",
            "cannot be applied",
            "",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_schemas_that_are_unsound(
    inputs: JsonObject, code: str, pointer: str, message: str, hint: str
) -> None:
    (problem,) = found(inputs)
    assert (problem.code, problem.pointer) == (code, f"/spec/inputs{pointer}")
    assert message in problem.message
    assert hint in problem.hint


def test_the_place_in_the_file() -> None:
    (problem, *_) = [
        d for d in placed(SAMPLE.replace('default: ""', "default: 5")) if d.code == "AF116"
    ]
    assert problem.line == 8
    assert problem.column == SAMPLE.splitlines()[7].index("default:") + 1


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"properties": {"a": True, "b": False}},
        {
            "properties": {"a": {"$ref": "#/$defs/b", "default": 1}},
            "$defs": {"b": {"type": "integer"}},
        },
        {"properties": {"a": {"const": {"$ref": "#/nowhere"}}}},
        {"properties": {"tree": {"$ref": "#"}}},
    ],
    ids=str,
)
def test_schemas_that_are_sound(inputs: JsonObject) -> None:
    assert found(inputs) == []


@pytest.mark.parametrize(
    ("given", "complete"),
    [
        ({"body": "x"}, {"body": "x", "price": 1.0}),
        ({"body": "x", "price": 3}, {"body": "x", "price": 3.0}),
        ({"body": "x", "price": 3, "count": 3}, {"body": "x", "price": 3.0, "count": 3}),
        ({"body": "x", "share": 2}, {"body": "x", "price": 1.0, "share": 2.0}),
        ({"body": "x", "share": None}, {"body": "x", "price": 1.0, "share": None}),
        (
            {"body": "x", "rows": [{"x": 1, "y": 1}]},
            {"body": "x", "price": 1.0, "rows": [{"x": 1.0, "y": 1}]},
        ),
        ({"body": "x", "rates": {"a": 1}}, {"body": "x", "price": 1.0, "rates": {"a": 1.0}}),
        ({"body": "x", "free": [1]}, {"body": "x", "price": 1.0, "free": [1]}),
    ],
    ids=str,
)
def test_an_input_is_completed(given: JsonObject, complete: JsonObject) -> None:
    found = complete_input(SCHEMA, given)
    assert found == complete
    assert repr(sorted(found.items())) == repr(sorted(complete.items()))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "input: 'body' is a required property"),
        ({"body": 5}, "body: 5 is not of type 'string'"),
        ({"body": "x", "rows": [{"x": "y"}]}, "rows.0.x: 'y' is not of type 'number'"),
        ({"body": "x", "bdy": 1}, "unknown: bdy (known: body, price"),
        ({"body": 5, "count": "x"}, "body: 5 is not of type 'string'; count: 'x'"),
    ],
)
def test_an_input_that_does_not_fit(given: JsonObject, message: str) -> None:
    with pytest.raises(UsageError, match="does not meet the agent's schema") as caught:
        complete_input(SCHEMA, given)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {}}, "additionalProperties": True},
        {"properties": {"a": {}}, "patternProperties": {"^b": {}}},
        {"properties": {"a": {}}, "additionalProperties": {"type": "integer"}},
        {"properties": {}},
        {},
    ],
    ids=str,
)
def test_other_fields_where_the_schema_allows_them(schema: JsonSchema) -> None:
    assert complete_input(schema, {"b": 1}) == {"b": 1}


def test_a_schema_without_an_end_is_told() -> None:
    with pytest.raises(UsageError, match="cannot be applied"):
        complete_input({"$ref": "#"}, {"a": 1})


def test_numbers_too_large_for_a_double_stay() -> None:
    assert conform(10**400, {"type": "number"}) == 10**400


@patiently()
@given(VALUES, st.sampled_from([SCHEMA, {}, {"type": "number"}, {"type": "array", "items": {}}]))
def test_conforming_changes_no_value(value: JsonValue, schema: JsonSchema) -> None:
    def small(node: JsonValue) -> Value:
        """Past 2**53, a double cannot tell whole numbers apart."""
        match node:
            case bool():
                return node
            case int():
                return node % 2**53
            case dict():
                return {k: small(v) for k, v in node.items()}
            case list():
                return [small(v) for v in node]
            case _:
                return node

    assert conform(small(value), schema) == small(value)


@patiently(200)
@given(OBJECTS)
def test_no_schema_makes_it_raise(inputs: JsonObject) -> None:
    for problem in found(inputs):
        assert problem.code in {"AF114", "AF115", "AF116"}


@patiently(200)
@given(
    st.recursive(
        st.sampled_from(
            [True, {}, {"type": "string"}, {"enum": [1, None]}, {"const": []}, {"$ref": "#"}]
        ),
        lambda inner: st.fixed_dictionaries(
            {},
            optional={
                "type": st.sampled_from(["object", "array", ["string", "null"], "number"]),
                "properties": st.dictionaries(st.sampled_from(["a", "b-c", "é", "in"]), inner),
                "items": inner,
                "anyOf": st.lists(inner, min_size=1),
                "additionalProperties": inner,
                "default": VALUES,
                "required": st.just(["a"]),
                "pattern": st.sampled_from(["[", "^a$"]),
                "multipleOf": st.sampled_from([1, 1e-300]),
                "prefixItems": st.lists(inner, min_size=1),
            },
        ),
        max_leaves=8,
    ),
    OBJECTS,
)
def test_no_sound_schema_makes_an_input_raise_anything_else(
    schema: JsonValue, given: JsonObject
) -> None:
    inputs: JsonObject = {"properties": {"a": schema}}
    if found(inputs):
        return
    try:
        complete_input(inputs, given)
    except UsageError as refused:
        told = str(refused)
    else:
        told = "does not meet"
    assert "does not meet" in told
