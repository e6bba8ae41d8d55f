"""An agent's identity: what changes it, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given

from agentflow_dagster.spec.canonical import canonical_json, content_hash, to_json
from tests.support.documents import SAMPLE, agent, changed, document, sample, without
from tests.support.properties import VALUES, patiently

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue


def reversed_keys(value: JsonObject) -> JsonObject:
    return dict(reversed(value.items()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("layout", {"classify": {"x": 1, "y": 2}}),
        ("spec.config", {"maxConcurrentExecutions": 10, "retryPolicy": "exponential"}),
        ("metadata", reversed_keys(cast("JsonObject", sample()["metadata"]))),
        (
            "spec.nodes",
            reversed_keys(cast("JsonObject", cast("JsonObject", sample()["spec"])["nodes"])),
        ),
        ("spec.budget.monthlyUsd", 100.0),
    ],
    ids=["layout", "defaults written out", "order of fields", "order of nodes", "1.0 for 1"],
)
def test_what_leaves_the_hash_as_it_is(path: str, value: JsonValue) -> None:
    assert content_hash(agent(changed(sample(), path, value))) == content_hash(agent(sample()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.description", "Other words."),
        ("spec.nodes.draft.with.prompt", "Answer: {{input.body}}"),
        ("spec.nodes.draft.timeout", "31s"),
        ("spec.inputs.required", []),
        ("spec.env", ["TRACKER", "OTHER"]),
        ("spec.nodes.done.with.from", ["draft", "file_bug"]),
    ],
)
def test_what_changes_the_hash(path: str, value: JsonValue) -> None:
    assert content_hash(agent(changed(sample(), path, value))) != content_hash(agent(sample()))


def test_the_order_of_cases_is_meaning() -> None:
    """A switch takes the first case that holds."""
    one = changed(sample(), "spec.nodes.route.with.cases", {"bug": True, "other": True})
    two = changed(sample(), "spec.nodes.route.with.cases", {"other": True, "bug": True})
    assert content_hash(agent(one)) != content_hash(agent(two))


def test_comments_and_spacing_are_not_in_the_hash() -> None:
    text = SAMPLE.replace("  # a map", " # one map").replace("{kind: ai.chat", "{ kind:  ai.chat")
    assert content_hash(agent(document(text))) == content_hash(agent(sample()))


def test_fields_that_are_left_out_stay_out() -> None:
    assert to_json(agent(without(sample(), "spec.budget"))) == without(sample(), "spec.budget")


def test_canonical_json() -> None:
    assert (
        canonical_json({"b": 1.0, "a": ["é", 0.5, True, None]}) == '{"a":["é",0.5,true,null],"b":1}'
    )


@patiently()
@given(VALUES)
def test_canonical_json_does_not_tell_the_order_of_keys(value: JsonValue) -> None:
    def turned(node: JsonValue) -> JsonValue:
        match node:
            case dict():
                return {k: turned(v) for k, v in reversed(node.items())}
            case list():
                return [turned(v) for v in node]
            case _:
                return node

    assert canonical_json(turned(value)) == canonical_json(value)
