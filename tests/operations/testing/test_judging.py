"""What a test expects, judged of a run's values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from agentflow_dagster.models import SentenceModel
from agentflow_dagster.operations.testing.judging import Judge, RunFacts
from agentflow_dagster.sandbox import ChildProcess
from agentflow_dagster.spec.tests import AgentTest
from agentflow_dagster.spec.values import pack
from tests.support.contexts import SmallRunner

if TYPE_CHECKING:
    from agentflow_dagster.ports.code import CodeRunner
    from agentflow_dagster.ports.document_tests import Broken
    from agentflow_dagster.spec.values import Value

SENTENCES = SentenceModel()
TABLE = pack(pd.DataFrame({"n": [1, 2], "t": ["a", "b"]}))
OUTPUTS: dict[str, Value] = {
    "text": "Refund T-17 is on its way.",
    "long": "a" * 60,
    "number": 3.0,
    "yes": True,
    "tags": ["red", "blue", {"deep": [1]}],
    "issue": {"status": 201, "body": {"number": 17, "title": "x"}},
    "table": TABLE,
    "image": pack(b"\x89PNG"),
}


def facts(**changes: Any) -> RunFacts:
    given: dict[str, Any] = {
        "scope": {"outputs": OUTPUTS, "case": {"label": "red", "at": "T-1"}},
        "skipped": frozenset({"draft"}),
        "failures": {},
        "seconds": 0.25,
        "cost_usd": 0.01,
        "tokens": 120,
    }
    return RunFacts(**{**given, **changes})


async def judged(
    *expect: dict[str, Any], code: CodeRunner | None = None, limit: float = 10.0, **changes: Any
) -> tuple[Broken, ...]:
    test = AgentTest.model_validate({"expect": list(expect)}, by_alias=True, by_name=False)
    judge = Judge(SENTENCES, code or SmallRunner(), seconds=limit)
    return await judge.judge(test, facts(**changes))


@pytest.mark.parametrize(
    ("value", "matcher", "holds"),
    [
        ("number", {"equals": 3}, True),
        ("number", {"equals": 4}, False),
        ("yes", {"equals": 1}, False),
        ("issue", {"equals": {"body": {"title": "x", "number": 17.0}, "status": 201}}, True),
        ("issue", {"equals": {"status": 201}}, False),
        ("table", {"equals": [{"n": 1, "t": "a"}, {"n": 2, "t": "b"}]}, True),
        ("text", {"contains": "T-17"}, True),
        ("text", {"contains": "T-18"}, False),
        ("tags", {"contains": "{{case.label}}"}, True),
        ("tags", {"contains": ["blue", "red"]}, True),
        ("tags", {"contains": ["blue", "green"]}, False),
        ("issue", {"contains": {"status": 201, "body": {"number": 17}}}, True),
        ("issue", {"contains": {"body": {"number": 18}}}, False),
        ("issue", {"contains": {"nothing": None}}, False),
        ("number", {"contains": 3}, False),
        ("text", {"regex": r"T-\d+"}, True),
        ("text", {"regex": r"^T-\d+"}, False),
        ("number", {"regex": "3"}, False),
        ("issue", {"schema": {"properties": {"status": {"type": "integer"}}}}, True),
        ("issue", {"schema": {"required": ["nothing"]}}, False),
        ("issue", {"jsonpath": "$.body.number", "equals": 17}, True),
        ("issue", {"jsonpath": "$.body.nothing", "equals": None}, False),
        ("tags", {"jsonpath": "$[?@.deep]", "equals": [{"deep": [1]}]}, True),
        ("tags", {"jsonpath": "$[?@.none]", "equals": []}, True),
        ("text", {"similar": {"to": "The money is being paid back.", "atLeast": 0.3}}, True),
        ("text", {"similar": {"to": "Bananas are yellow.", "atLeast": 0.3}}, False),
        ("number", {"similar": {"to": "three", "atLeast": -1}}, False),
    ],
)
async def test_a_value(value: str, matcher: dict[str, Any], holds: bool) -> None:
    broken = await judged({"value": f"outputs.{value}", **matcher})
    assert (broken == ()) is holds
    if not holds:
        (one,) = broken
        assert one.place.startswith("expect/0/")
        assert one.message.startswith(f"outputs.{value} ")


async def test_an_expression_is_a_value_too() -> None:
    assert await judged({"value": "{{size(outputs.tags)}}", "equals": 3}) == ()
    assert await judged({"value": "outputs.tags[0]", "equals": "red"}) == ()
    (broken,) = await judged({"value": "outputs.tags[9]", "equals": "red"})
    assert broken.place == "expect/0/value"
    assert "cannot be read" in broken.message


async def test_bytes_are_told_of_and_not_shown() -> None:
    (broken,) = await judged({"value": "outputs.image", "equals": 1})
    assert "PNG" not in str(broken.got)


async def test_the_run_as_a_whole() -> None:
    assert await judged({"status": "SUCCESS", "skipped": ["draft"]}) == ()
    bounds = {"costUsd": {"max": 0.01}, "latencyMs": {"max": 250}, "tokens": {"max": 120}}
    assert await judged(bounds) == ()
    broken = await judged(bounds, cost_usd=0.02, seconds=0.3, tokens=121)
    assert [b.place for b in broken] == [
        "expect/0/costUsd",
        "expect/0/tokens",
        "expect/0/latencyMs",
    ]
    (broken,) = await judged({"costUsd": {"max": 5}}, cost_usd=None)
    assert "a price is missing" in broken.message
    (broken,) = await judged({"skipped": ["draft", "ask"]})
    assert broken.message == "'ask' was not skipped."


async def test_a_failure_is_broken_unless_it_is_expected() -> None:
    failures = {"ask": "The model is away."}
    (broken,) = await judged({"skipped": ["draft"]}, failures=failures)
    assert broken.message == "The run failed: ask: The model is away."
    assert await judged({"status": "FAILURE"}, failures=failures) == ()
    assert await judged({"failure": {"contains": "is away"}}, failures=failures) == ()
    (broken,) = await judged({"failure": {"contains": "is here"}}, failures=failures)
    assert (broken.expected, broken.got) == ("is here", "ask: The model is away.")
    (broken,) = await judged({"failure": {"contains": "x"}})
    assert broken.message == "The run did not fail."
    (broken,) = await judged({"status": "SUCCESS"}, failures=failures)
    assert broken.place == "expect/0/status"


async def test_a_pattern_that_explodes_is_ended() -> None:
    hostile = {"value": "outputs.long", "regex": r"^(\w|\w\w)+~$"}
    (broken,) = await judged(hostile, code=ChildProcess(), limit=1.0)
    assert broken.place == "expect/0/regex"
    assert "cannot be judged" in broken.message


async def test_a_schema_whose_pattern_explodes_is_ended() -> None:
    schema = {"pattern": r"^(\w|\w\w)+~$"}
    hostile = {"value": "outputs.long", "schema": schema}
    (broken,) = await judged(hostile, code=ChildProcess(), limit=1.0)
    assert broken.place == "expect/0/schema"
    assert "cannot be judged" in broken.message
