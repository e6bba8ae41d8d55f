"""What a call is expected to take: what its answer can be, at the prices that are usually asked."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.models.catalogue import Entry
from agentflow_dagster.models.expecting import expected_output, expected_usd, tokens_of
from agentflow_dagster.ports.model import Message, ModelRequest, ToolSpec

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

LABEL: JsonObject = {"anyOf": [{"const": "billing"}, {"const": "something else"}]}
CHOICE: JsonObject = {
    "type": "object",
    "properties": {"label": LABEL, "sure": {"type": "number"}},
    "additionalProperties": False,
}
HELLO = (Message("user", "Hello"),)


def expected(schema: JsonObject | None, max_tokens: int | None = None) -> int:
    return expected_output(ModelRequest(HELLO, output_schema=schema, max_tokens=max_tokens))


def test_a_closed_choice_is_a_short_answer() -> None:
    reply = '{"label": "something else", "sure": 0.25}'
    assert len(reply) // 4 <= expected(CHOICE) < 15
    assert expected({"enum": ["a", "bcdefghijklmnop"]}) == 18 // 4 + 1
    assert expected({"type": "boolean"}) == 3


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"type": "string"},
        {"type": "array", "items": {"type": "boolean"}},
        {"anyOf": [{"const": "x"}, {"type": "string"}]},
        {**CHOICE, "additionalProperties": True},
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
        {"enum": []},
    ],
)
def test_of_an_open_answer_the_usual_is_expected(schema: JsonObject | None) -> None:
    assert expected(schema) == 500


def test_no_more_is_expected_than_the_call_allows() -> None:
    assert expected(None, max_tokens=40) == 40
    assert expected(None, max_tokens=4_000) == 500
    assert expected(CHOICE, max_tokens=4) == 4


def test_one_that_may_call_tools_says_more_than_its_schema() -> None:
    tools = (ToolSpec("t", "A tool.", {"type": "object"}),)
    assert expected_output(ModelRequest(HELLO, output_schema=CHOICE, tools=tools)) == 500


def test_the_usual_price_counts_and_not_the_highest() -> None:
    prices = ((-1, Decimal(2), Decimal(8)), (200_000, Decimal(4), Decimal(12)))
    entry = Entry(price_in=Decimal(9), price_out=Decimal(9), usual=prices)
    assert entry.usd(200_000, 10) == 2 * 200_000 + 8 * 10
    assert entry.usd(200_001, 10) == 4 * 200_001 + 12 * 10
    request = ModelRequest(HELLO)
    assert expected_usd(request, entry) == 2 * tokens_of(request) + 8 * 500
    assert expected_usd(request, Entry(price_in=Decimal(1))) is None
