from __future__ import annotations

import json
from typing import Any

import pytest
from referencing.exceptions import Unresolvable

from agentflow_dagster.models.structured import Reply, schema_mismatch

OPEN = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
CLOSED = {**OPEN, "additionalProperties": False}


@pytest.mark.parametrize(
    "text", ['{"n": 1}', ' {"n": 1}\n', '```json\n{"n": 1}\n```', '```\n{"n": 1}```']
)
def test_reads_json_plain_or_fenced(text: str):
    assert Reply(OPEN).read(text) == {"n": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one", "not JSON"),
        ('{"n": ', "not JSON"),
        ('{"n": "1"}', "/n: '1' is not of type 'integer'"),
        ("{}", "'n' is a required property"),
        ("[]", "is not of type 'object'"),
    ],
)
def test_says_what_is_wrong(text: str, said: str):
    with pytest.raises(ValueError, match="is") as raised:
        Reply(OPEN).read(text)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        (OPEN, False),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "properties": {"n": OPEN}}, False),
        ({**CLOSED, "properties": {"n": {"oneOf": [{"const": 1}]}}}, False),
        ({"type": "array", "items": CLOSED}, True),
    ],
)
def test_strict_only_where_the_provider_takes_it(schema: dict[str, Any], strict: bool):
    sent: Any = Reply(schema).response_format
    assert sent["json_schema"]["strict"] is strict


def test_a_schema_that_is_no_object_is_wrapped_and_unwrapped():
    schema = {"$defs": {"n": {"type": "integer"}}, "type": "array", "items": {"$ref": "#/$defs/n"}}
    reply = Reply(schema)
    assert schema_mismatch({"value": [1]}, reply.sent_schema) == ""
    assert schema_mismatch({"value": ["1"]}, reply.sent_schema) != ""
    assert reply.read('{"value": [1, 2]}') == [1, 2]
    assert reply.read("[1, 2]") == [1, 2]


def test_the_instruction_carries_the_schema():
    assert json.dumps(CLOSED) in Reply(CLOSED).instruction


def test_a_foreign_reference_is_not_fetched():
    with pytest.raises(Unresolvable):
        schema_mismatch(1, {"$ref": "https://example.invalid/schema.json"})


def test_a_long_mismatch_is_cut():
    assert len(schema_mismatch("x" * 5000, {"type": "integer"})) < 300
