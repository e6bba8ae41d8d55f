"""Documents to agents: strict as JSON is, every mistake at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.spec.canonical import to_json
from agentflow_dagster.spec.document import Agent
from agentflow_dagster.spec.parse import parse_agent, validated
from tests.support.documents import (
    SAMPLE,
    changed,
    minimal,
    placed,
    problems,
    sample,
    without,
)
from tests.support.mutations import mutated
from tests.support.properties import patiently

if TYPE_CHECKING:
    from agentflow_dagster.spec.diagnostics import Diagnostic
    from agentflow_dagster.spec.values import JsonObject, JsonValue


def only(found: tuple[Diagnostic, ...]) -> Diagnostic:
    assert len(found) == 1, found
    return found[0]


def test_the_sample_is_an_agent_and_comes_back_as_it_was() -> None:
    agent = parse_agent(sample())
    assert isinstance(agent, Agent)
    assert agent.name == "support-triage"
    assert to_json(agent) == sample()


@pytest.mark.parametrize(
    ("path", "value", "code", "message", "hint"),
    [
        (
            "apiVersion",
            "agentflow.io/v2",
            "AF118",
            "no format 'agentflow.io/v2'",
            "agentflow.io/v1",
        ),
        ("metadata.nam", "x", "AF110", "Unknown field 'nam'", "Did you mean 'name'?"),
        ("spec.nodes.draft.wit", {}, "AF110", "Unknown field 'wit'", "Did you mean 'with'?"),
        ("spec.triggers.tickets.webhok", {}, "AF110", "'webhok'", "Did you mean 'webhook'?"),
        ("spec.defaults.retry.max_attempts", 2, "AF110", "'max_attempts'", "'maxAttempts'"),
        ("spec.nodes.draft.with_", {}, "AF110", "Unknown field 'with_'", "Did you mean 'with'?"),
        ("metadata.name", "Support Triage", "AF113", "'Support Triage'", "lower-case letters"),
        ("spec.nodes.Big", {"kind": "ai.chat"}, "AF113", "'Big'", "underscores"),
        ("spec.nodes.draft.kind", "chat", "AF113", "'chat'", "family.name"),
        ("spec.nodes.draft.after", ["route.other.x"], "AF113", "", "`node.port`"),
        ("spec.secrets", ["A B"], "AF113", "'A B'", "letters, digits and underscores"),
        ("spec.triggers.tickets.webhook.path", "tickets", "AF113", "'tickets'", "/tickets"),
        ("spec.defaults.timeout", 30, "AF119", "30 has no unit; write '30s'", ""),
        ("spec.defaults.timeout", "soon", "AF119", "'soon' is not a duration", ""),
        ("spec.defaults.timeout", "0s", "AF119", "not between 1ms and 366 days", ""),
        ("spec.config.maxConcurrentExecutions", "3", "AF112", "valid integer, not '3'", ""),
        ("spec.config.maxConcurrentExecutions", True, "AF112", "valid integer, not True", ""),
        ("spec.config.maxConcurrentExecutions", 0, "AF112", "greater than or equal to 1", ""),
        ("spec.nodes", {}, "AF112", "nodes", ""),
        ("spec.nodes.draft.after", "route", "AF112", "valid array, not 'route'", ""),
        ("spec.nodes.draft", None, "AF112", "object", ""),
        ("spec.triggers.tickets.webhook.method", "GET", "AF112", "'POST' or 'PUT'", ""),
        ("spec.triggers.weekdays", {}, "AF112", "exactly one of webhook, schedule", ""),
        ("spec.defaults.llm.temperature", float("nan"), "AF117", "nan is no JSON number", ""),
        ("metadata.icon", "\ud83c", "AF117", "half a character", ""),
    ],
)
def test_one_mistake_one_diagnostic(
    path: str, value: JsonValue, code: str, message: str, hint: str
) -> None:
    found = only(problems(changed(sample(), path, value)))
    assert (found.code, found.severity) == (code, "error")
    assert message in found.message
    assert hint in found.hint
    pointer = "/" + path.replace(".", "/")
    assert found.pointer in {pointer, f"{pointer}/0"}


@pytest.mark.parametrize(
    ("path", "pointer"),
    [("metadata.name", "/metadata"), ("spec.nodes.draft.kind", "/spec/nodes/draft")],
)
def test_what_is_missing_is_told_where_it_belongs(path: str, pointer: str) -> None:
    found = only(problems(without(sample(), path)))
    name = path.rpartition(".")[2]
    assert (found.code, found.pointer) == ("AF111", pointer)
    assert found.message == f"{name!r} is missing."
    assert found.hint == f"Add `{name}:` here."


def test_a_key_with_half_a_character() -> None:
    found = only(problems(changed(sample(), "layout", {"\ud800": 1})))
    assert (found.code, found.pointer) == ("AF117", "/layout")


def test_nesting_without_end() -> None:
    deep: JsonValue = 1
    for _ in range(2_000):
        deep = [deep]
    assert only(problems(changed(sample(), "layout", {"a": deep}))).code == "AF104"


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "points_at"),
    [
        ("kind: Agent", "kind: Agnt", "AF112", 2, "kind: Agnt"),
        ("maxAttempts: 3", "maxAttempt: 3", "AF110", 9, "maxAttempt: 3"),
        ("timeout: 30s", "timeout: 30", "AF119", 9, "timeout: 30"),
        ("env: [TRACKER]", "env: [TRACKER, T-2]", "AF113", 11, "T-2"),
        ("after: [route.bug]", "after: route.bug", "AF112", 24, "after: route.bug"),
        ("      kind: ai.classify\n", "", "AF111", 16, "classify:"),
    ],
)
def test_the_place_in_the_file(old: str, new: str, code: str, line: int, points_at: str) -> None:
    text = SAMPLE.replace(old, new)
    found = only(placed(text))
    assert (found.code, found.file, found.line) == (code, "a.yaml", line)
    assert found.column is not None
    assert text.splitlines()[line - 1][found.column - 1 :].startswith(points_at)
    assert str(found).startswith(f"a.yaml:{line}:{found.column}: error {code}: ")


def test_alternatives_of_a_field_are_one_diagnostic() -> None:
    config = builtin_kinds()["tool.http"].config
    found = only(cast("Any", validated(config, {"url": "x", "query": {"page": [1]}})))
    assert (found.code, found.pointer) == ("AF112", "/query/page")
    assert "valid string or a valid integer or a valid number or a valid boolean" in found.message


def test_inside_an_alternative_the_mistake_has_its_own_place() -> None:
    config = builtin_kinds()["code.python"].config
    outputs: JsonObject = {"total": {"type": "number"}, "not-a-name": {}}
    found = cast("Any", validated(config, {"code": "x = 1", "outputs": outputs}, under=("with",)))
    assert [(d.code, d.pointer) for d in found] == [("AF113", "/with/outputs/not-a-name")]


def test_long_values_are_shortened() -> None:
    found = only(problems(changed(sample(), "metadata.name", "X" * 1_000)))
    assert len(found.message) < 200


def test_a_document_of_the_fewest_fields() -> None:
    assert isinstance(parse_agent(minimal({"a": {"kind": "ai.chat"}})), Agent)


@patiently(250)
@given(st.data())
def test_no_change_of_the_sample_makes_it_raise(data: st.DataObject) -> None:
    document = mutated(data)
    found = problems(document)
    assert all(d.code.startswith("AF") and d.message for d in found)
    for d in found:
        assert d.pointer == "" or d.pointer.startswith("/")
