from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentflow_dagster.models.extractive.fill import FillError, fill
from agentflow_dagster.models.extractive.task import Task
from agentflow_dagster.models.extractive.zero_shot import Label, classify
from agentflow_dagster.models.structured import schema_mismatch

if TYPE_CHECKING:
    from agentflow_dagster.models import SentenceModel
    from agentflow_dagster.spec.values import JsonSchema, JsonValue

ORDER = (
    "I bought 3 red lamps on 2026-05-02. You charged my card 49.90 dollars twice! "
    "The parcel has not arrived. Write to jo@example.org or see https://example.org/a."
)


@pytest.fixture
def field(sentence_model: SentenceModel):
    def answer(schema: JsonSchema, *, name: str = "field", text: str = ORDER) -> JsonValue:
        whole = {"type": "object", "properties": {name: schema}, "required": [name]}
        found: Any = fill(whole, Task(text=text), model=sentence_model)
        assert schema_mismatch(found, whole) == ""
        return found[name]

    return answer


@pytest.mark.parametrize(
    ("name", "schema", "expected"),
    [
        ("email", {"type": "string", "format": "email"}, "jo@example.org"),
        ("link", {"type": "string", "format": "uri"}, "https://example.org/a"),
        ("day", {"type": "string", "format": "date"}, "2026-05-02"),
        ("amount", {"type": "number", "description": "money charged"}, 49.9),
        ("lamps", {"type": "integer", "description": "how many lamps were bought"}, 3),
        ("code", {"type": "string", "pattern": "^[a-z]{2}@"}, "jo@"),
        ("fixed", {"const": 7}, 7),
        ("none", {"type": "null"}, None),
        ("kind", {"enum": ["charged twice", "crash on start"]}, "charged twice"),
        ("late", {"type": "boolean", "description": "the parcel has not arrived"}, True),
        ("cat", {"type": "boolean", "description": "a cat is on the mat"}, False),
    ],
)
def test_single_fields(field: Any, name: str, schema: JsonSchema, expected: JsonValue):
    assert field(schema, name=name) == expected


def test_described_constants_are_a_choice(field: Any):
    offered = [
        {"const": "A", "description": "the parcel has not arrived"},
        {"const": "B", "description": "praise for the staff"},
        {"type": "null"},
    ]
    assert field({"anyOf": offered}) == "A"
    assert field({"oneOf": offered[1::-1]}) == "A"


def test_references_and_all_of_are_followed(sentence_model: SentenceModel):
    schema = {
        "$defs": {"day": {"type": "string", "format": "date"}},
        "allOf": [
            {"type": "object", "properties": {"bought": {"$ref": "#/$defs/day"}}},
            {"required": ["bought"]},
        ],
    }
    assert fill(schema, Task(text=ORDER), model=sentence_model) == {"bought": "2026-05-02"}


def test_null_is_the_way_out(field: Any):
    schema = {"anyOf": [{"type": "null"}, {"type": "string", "format": "email"}]}
    assert field(schema) == "jo@example.org"
    assert field(schema, text="no address here") is None


def test_optional_fields_are_left_out_where_the_text_is_silent(sentence_model: SentenceModel):
    schema = {
        "type": "object",
        "properties": {"day": {"type": "string", "format": "date"}, "total": {"type": "number"}},
    }
    assert fill(schema, Task(text="hello"), model=sentence_model) == {}


@pytest.mark.parametrize(
    "schema", [{"type": "number"}, {"type": "string", "format": "email"}, {"$ref": "#/nowhere"}]
)
def test_a_required_field_that_the_text_is_silent_on_is_refused(
    schema: JsonSchema, sentence_model: SentenceModel
):
    whole = {"type": "object", "properties": {"total": schema}, "required": ["total"]}
    with pytest.raises(FillError) as raised:
        fill(whole, Task(text="hello"), model=sentence_model)
    assert raised.value.path == "/total"


def test_a_schema_without_an_end_is_refused(sentence_model: SentenceModel):
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    with pytest.raises(FillError, match="without an end"):
        fill(schema, Task(text="hello"), model=sentence_model)


def test_confidence_is_of_its_choice(sentence_model: SentenceModel):
    def schema(*names: str) -> JsonSchema:
        choices = {name: {"enum": ["money", "weather"]} for name in ("kind", "topic")}
        choices["topic"] = {"enum": ["lamps", "rivers", "parcels"]}
        sure = {name: {"type": "number", "minimum": 0, "maximum": 100} for name in names}
        return {"type": "object", "properties": {**sure, **choices}}

    kind = classify(ORDER, [Label("money"), Label("weather")], model=sentence_model).confidence
    topics = [Label(name) for name in ("lamps", "rivers", "parcels")]
    topic = classify(ORDER, topics, model=sentence_model).confidence
    asked = schema("confidence", "topic_confidence")
    found: Any = fill(asked, Task(text=ORDER), model=sentence_model)
    assert found["confidence"] == pytest.approx(100 * kind, abs=0.01)
    assert found["topic_confidence"] == pytest.approx(100 * topic, abs=0.01)


def test_lists(field: Any):
    tags = {"type": "array", "items": {"enum": ["delivery", "payment", "gardening"]}}
    assert "gardening" not in field(tags)
    assert len(field({**tags, "minItems": 3})) == 3
    points = field({"type": "array", "items": {"type": "string"}, "maxItems": 2})
    assert len(points) == 2
    assert all(point in ORDER for point in points)
    rows = field({"type": "array", "items": {"type": "object", "properties": {"said": {}}}})
    assert all(row["said"] in ORDER for row in rows)
    pair = {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}
    assert field(pair, text="3 lamps")[0] == 3


WORDS = st.sampled_from(["parcel", "summary", "reply", "urgency", "score", "colour"])


@st.composite
def _leaves(draw: st.DrawFn) -> JsonSchema:
    names = draw(st.lists(WORDS, min_size=1, max_size=4, unique=True))
    least = draw(st.integers(-3, 2))
    return draw(
        st.sampled_from(
            [
                {"type": "boolean"},
                {"type": ["string", "null"], "maxLength": 20},
                {"type": "string", "minLength": 5, "maxLength": 40},
                {"type": "integer", "minimum": least},
                {"type": "number", "minimum": least, "maximum": least + 5},
                {"enum": names},
                {"oneOf": [{"const": name} for name in names]},
            ]
        )
    )


@st.composite
def _nested(draw: st.DrawFn, inner: st.SearchStrategy[JsonSchema]) -> JsonSchema:
    if draw(st.booleans()):
        return {"type": "array", "items": draw(inner), "maxItems": draw(st.integers(0, 3))}
    properties = draw(st.dictionaries(WORDS, inner, min_size=1, max_size=3))
    return {
        "type": "object",
        "properties": properties,
        "required": draw(st.lists(st.sampled_from(sorted(properties)), unique=True)),
        "additionalProperties": False,
    }


def _schemas() -> st.SearchStrategy[JsonSchema]:
    return st.recursive(_leaves(), _nested, max_leaves=4)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(schema=_schemas())
def test_what_it_fills_meets_the_schema(schema: JsonSchema, sentence_model: SentenceModel):
    value = fill(schema, Task(text=ORDER), model=sentence_model)
    assert schema_mismatch(value, schema) == ""
