"""What can be wrong with a document's tests, each told at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.graph.check import check_agent
from agentflow_dagster.nodes import builtin_kinds
from tests.support.documents import agent, minimal, problems

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue

ASK: JsonObject = {"kind": "ai.chat", "with": {"prompt": "{{input.body}}"}}
INPUTS: JsonObject = {
    "type": "object",
    "required": ["body"],
    "properties": {"body": {"type": "string"}, "most": {"type": "integer", "default": 3}},
}
LOOP: JsonObject = {
    "kind": "logic.loop",
    "with": {
        "over": ["a"],
        "body": {"nodes": {"say": ASK}, "outputs": {"t": "{{say.output.text}}"}},
    },
}
SIDES: JsonObject = {
    "kind": "logic.parallel",
    "with": {
        "branches": {"left": {"nodes": {"say": ASK}, "outputs": {"t": "{{say.output.text}}"}}}
    },
}
GOOD: JsonObject = {"input": {"body": "x"}, "expect": [{"status": "SUCCESS"}]}


def document(test: JsonObject, **spec: JsonValue) -> JsonObject:
    nodes: JsonObject = {"ask": ASK, "each": LOOP, "sides": SIDES}
    return minimal(
        nodes, inputs=INPUTS, outputs={"t": "{{ask.output.text}}"}, tests={"one": test}, **spec
    )


def told(test: JsonObject, **spec: JsonValue) -> list[tuple[str, str]]:
    """Codes of errors, with the place below the test."""
    found = problems(document({**GOOD, **test}, **spec))
    return [
        (d.code, d.pointer.removeprefix("/spec/tests/one")) for d in found if d.severity == "error"
    ]


@pytest.mark.parametrize(
    "test",
    [
        {},
        {"mocks": {"ask": {"output": {"text": "hi"}}}},
        {"mocks": {"ask": {"error": "no {{case.why}}"}}, "cases": {"file": "a.csv"}},
        {"mocks": {"each.say": {"error": "no"}, "each[2].say": {"output": {"text": "hi"}}}},
        {"mocks": {"sides.left.say": {"error": "no"}}},
        {"node": "ask", "input": {}, "expect": [{"value": "ask.output.text", "equals": "x"}]},
        {"input": {"body": "{{case.body}}"}, "cases": {"file": "a.csv"}, "passRate": 0.5},
        {"expect": [{"value": "{{outputs.t + input.body}}", "regex": "^x"}]},
        {"expect": [{"value": "ask.output", "jsonpath": "$.text", "contains": "x"}]},
        {"expect": [{"skipped": ["ask"], "costUsd": {"max": 1}, "latencyMs": {"max": 1}}]},
    ],
)
def test_sound_tests(test: JsonObject) -> None:
    assert told(test) == []


@pytest.mark.parametrize(
    ("test", "code", "place"),
    [
        ({"node": "asc"}, "AF851", "/node"),
        ({"node": "ask", "given": {"asc": 1}}, "AF851", "/given/asc"),
        (
            {"mocks": {"each": {"error": "x"}, "each.asc": {"error": "x"}}},
            "AF851",
            "/mocks/each.asc",
        ),
        ({"mocks": {"each.body.say": {"error": "x"}}}, "AF851", "/mocks/each.body.say"),
        ({"mocks": {"sides.say": {"error": "x"}}}, "AF851", "/mocks/sides.say"),
        ({"mocks": {"sides.left.asc": {"error": "x"}}}, "AF851", "/mocks/sides.left.asc"),
        ({"mocks": {"ask.ask": {"error": "x"}}}, "AF851", "/mocks/ask.ask"),
        ({"expect": [{"skipped": ["asc"]}]}, "AF851", "/expect/0/skipped"),
        ({"expect": [{"value": "outputs.t", "regex": "("}]}, "AF852", "/expect/0/regex"),
        (
            {"expect": [{"value": "outputs.t", "regex": "{{input.body}}"}]},
            "AF852",
            "/expect/0/regex",
        ),
        (
            {"expect": [{"value": "outputs.t", "schema": {"type": "strng"}}]},
            "AF853",
            "/expect/0/schema/type",
        ),
        (
            {"expect": [{"value": "outputs.t", "jsonpath": "t[", "equals": 1}]},
            "AF854",
            "/expect/0/jsonpath",
        ),
        ({"input": {}}, "AF855", ""),
        ({"input": {"body": 5}}, "AF855", "/input/body"),
        ({"input": {"body": "x", "boddy": "x"}}, "AF855", "/input/boddy"),
        ({"mocks": {"ask": {"output": {"text": 5}}}}, "AF856", "/mocks/ask/output"),
        ({"node": "ask", "given": {"each": 5}}, "AF856", "/given/each"),
        ({"mocks": {"ask": {"port": "bug"}}}, "AF857", "/mocks/ask/port"),
        ({"passRate": 0.5}, "AF858", "/passRate"),
        ({"given": {"ask": {"text": "x"}}}, "AF858", "/given"),
        ({"partition": "a"}, "AF858", "/partition"),
        ({"expect": [{"value": "outputs.x", "equals": 1}]}, "AF203", "/expect/0/value"),
        ({"expect": [{"value": "asc.output", "equals": 1}]}, "AF202", "/expect/0/value"),
        ({"expect": [{"value": "outputs.t", "equals": "{{case.x}}"}]}, "AF202", "/expect/0/equals"),
    ],
)
def test_mistakes(test: JsonObject, code: str, place: str) -> None:
    assert told(test) == [(code, place)]


@pytest.mark.parametrize(
    "test",
    [
        {"expect": []},
        {"expect": [{}]},
        {"expect": [{"value": "outputs.t"}]},
        {"expect": [{"equals": 1}]},
        {"expect": [{"jsonpath": "$.a", "status": "SUCCESS"}]},
        {"mocks": {"ask": {}}},
        {"mocks": {"ask": {"error": "x", "output": 1}}},
        {"mocks": {"each[x].say": {"error": "x"}}},
        {"passRate": 1.5},
        {"cases": {"file": "a.csv", "limit": 0}},
    ],
)
def test_what_says_nothing_is_no_test(test: JsonObject) -> None:
    assert told(test)


def test_of_a_node_alone_only_what_is_there_may_be_read() -> None:
    of_another: JsonObject = {"node": "ask", "expect": [{"value": "each.output", "equals": 1}]}
    assert told(of_another) == [("AF202", "/expect/0/value")]
    assert told({**of_another, "given": {"each": {"items": []}}}) == []
    of_the_run: JsonObject = {"node": "ask", "expect": [{"value": "outputs.t", "equals": 1}]}
    assert told(of_the_run) == [("AF202", "/expect/0/value")]


def test_a_partitioned_agent_is_tested_in_a_partition() -> None:
    defaults: JsonObject = {"partitions": {"static": ["a", "b"]}}
    inputs: JsonObject = {"properties": {"body": {"type": "string", "default": ""}}}
    for test, expected in (({}, [("AF858", "")]), ({"partition": "a"}, [])):
        whole = minimal({"ask": ASK}, inputs=inputs, tests={"one": {**GOOD, **test}}, **defaults)
        found = [d for d in problems(whole) if d.severity == "error"]
        assert [(d.code, d.pointer.removeprefix("/spec/tests/one")) for d in found] == expected


def test_cases_are_checked_by_what_is_known_of_their_rows() -> None:
    row: JsonSchema = {
        "type": "object",
        "properties": {"text": {"type": "string"}, "n": {"type": "integer"}},
        "additionalProperties": False,
    }
    cases: JsonObject = {"file": "a.jsonl", "where": "{{case.n}}"}
    test: JsonObject = {**GOOD, "input": {"body": "{{case.txt}}"}, "cases": cases}
    found = check_agent(agent(document(test)), builtin_kinds(), rows={"a.jsonl": row}).diagnostics
    errors = [(d.code, d.pointer) for d in found if d.severity == "error"]
    assert errors == [
        ("AF203", "/spec/tests/one/input/body"),
        ("AF206", "/spec/tests/one/cases/where"),
    ]
    test |= {"input": {"body": "{{case.n}}"}, "cases": {**cases, "where": "{{case.n > 1}}"}}
    found = check_agent(agent(document(test)), builtin_kinds(), rows={"a.jsonl": row}).diagnostics
    assert [d.pointer for d in found if d.severity == "error"] == ["/spec/tests/one/input/body"]
