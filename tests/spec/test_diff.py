"""What is told of two agents: what changed, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflow_dagster.spec.diff import diff, words
from tests.support.documents import SAMPLE, agent, changed, document, sample, without
from tests.support.properties import patiently

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue


def told(new: JsonObject) -> list[tuple[str, str]]:
    changes = (one.to_json() for one in diff(agent(sample()), agent(new)))
    return [(str(one["change"]), str(one["pointer"])) for one in changes]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("metadata.description", "Other.", ("changed", "/metadata/description")),
        ("spec.nodes.draft.with.prompt", "New.", ("changed", "/spec/nodes/draft/with/prompt")),
        ("spec.nodes.draft.timeout", "31s", ("added", "/spec/nodes/draft/timeout")),
        ("spec.triggers.weekdays.schedule.cron", "0 8 * * *", ("changed", "/spec/triggers/")),
        ("spec.outputs.more", "{{input.body}}", ("added", "/spec/outputs/more")),
        ("spec.inputs.required", [], ("changed", "/spec/inputs/required")),
        ("spec.nodes.more", {"kind": "ai.chat"}, ("added", "/spec/nodes/more")),
    ],
)
def test_one_change_is_told_where_it_is(
    path: str, value: JsonValue, expected: tuple[str, str]
) -> None:
    (one,) = told(changed(sample(), path, value))
    assert one[0] == expected[0]
    assert one[1].startswith(expected[1])


def test_what_is_taken_out() -> None:
    assert told(without(sample(), "spec.outputs.label")) == [("removed", "/spec/outputs/label")]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("layout", {"draft": {"x": 1}}),
        ("spec.nodes.draft.join", "all"),
        ("spec.config", {**sample()["spec"]["config"], "maxConcurrentExecutions": 10}),  # type: ignore[call-overload,index]
    ],
)
def test_what_means_the_same_is_no_difference(path: str, value: JsonValue) -> None:
    assert told(changed(sample(), path, value)) == []


def test_a_node_by_another_name_is_renamed_with_all_that_names_it() -> None:
    text = SAMPLE.replace("classify.output", "sorted.output").replace("classify:", "sorted:")
    assert text != SAMPLE
    (one,) = diff(agent(sample()), agent(document(text)))
    assert (one.change, one.before, one.after) == ("renamed", "classify", "sorted")


def test_the_order_of_cases_is_a_change() -> None:
    one = changed(sample(), "spec.nodes.route.with.cases", {"bug": True, "other": True})
    two = changed(sample(), "spec.nodes.route.with.cases", {"other": True, "bug": True})
    (found,) = diff(agent(one), agent(two))
    assert (found.before, found.after) == (["bug", "other"], ["other", "bug"])


def test_texts_are_compared_word_by_word() -> None:
    pieces = words("Reply to the ticket.", "Reply politely to the ticket!")
    assert [(p.change, p.text) for p in pieces] == [
        ("same", "Reply"),
        ("added", " politely"),
        ("same", " to the ticket"),
        ("removed", "."),
        ("added", "!"),
    ]


@patiently(200)
@given(st.text(max_size=60), st.text(max_size=60))
def test_words_put_together_are_both_texts(before: str, after: str) -> None:
    pieces: Any = words(before, after)
    assert "".join(p.text for p in pieces if p.change != "added") == before
    assert "".join(p.text for p in pieces if p.change != "removed") == after
