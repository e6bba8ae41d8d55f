"""What is sensitive or came from outside is known of everything that is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.documents import minimal, plan

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

INPUTS: JsonObject = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "file": {
            "type": "object",
            "properties": {"diagnosis": {"type": "string", "x-sensitive": True}},
        },
    },
}


def chat(prompt: str) -> JsonObject:
    return {"kind": "ai.chat", "with": {"prompt": prompt}}


def fetched(url: str, method: str = "GET") -> JsonObject:
    return {"kind": "tool.http", "with": {"url": url, "method": method}}


def marks(nodes: JsonObject, **spec: JsonObject) -> dict[str, set[str]]:
    made = plan(minimal(nodes, inputs=INPUTS, **spec))
    return {step.name: set(step.marks) for step in made.steps}


@pytest.mark.parametrize("read", ["input.file.diagnosis", "input.file", "input"])
def test_what_is_made_of_sensitive_input_is_sensitive(read: str) -> None:
    nodes: JsonObject = {
        "plain": chat("Hello {{input.name}}"),
        "told": chat(f"Explain {{{{{read}}}}}"),
        "after": chat("Shorten {{told.output.text}}"),
    }
    assert marks(nodes) == {"plain": set(), "told": {"sensitive"}, "after": {"sensitive"}}


def test_what_a_merge_takes_passes_its_marks_on() -> None:
    nodes: JsonObject = {
        "told": chat("Explain {{input.file.diagnosis}}"),
        "either": {"kind": "logic.merge", "join": "any", "with": {"from": ["told"]}},
        "after": chat("Shorten {{either.output.text}}"),
    }
    assert marks(nodes)["after"] == {"sensitive"}


def test_what_a_page_says_is_tainted() -> None:
    nodes: JsonObject = {
        "page": fetched("https://example.org"),
        "told": chat("Shorten {{page.output.body}}"),
        "beside": chat("Hello"),
    }
    assert marks(nodes) == {"page": set(), "told": {"tainted"}, "beside": set()}


def test_a_body_has_the_marks_of_what_is_around_it() -> None:
    inner: JsonObject = {
        "nodes": {"say": chat("{{item}}")},
        "outputs": {"t": "{{say.output.text}}"},
    }
    nodes: JsonObject = {
        "page": fetched("https://example.org"),
        "each": {
            "kind": "logic.loop",
            "with": {"over": "{{[string(page.output.body)]}}", "body": inner},
        },
    }
    made = plan(minimal(nodes))
    (step,) = made.step("each").bodies["body"].steps
    assert step.marks == {"tainted"}


@pytest.mark.parametrize("policy", ["allow", "approve"])
def test_effects_of_what_came_from_outside_may_need_approval(policy: str) -> None:
    nodes: JsonObject = {
        "page": fetched("https://example.org"),
        "post": fetched("https://example.org/{{string(page.output.status)}}", "POST"),
    }
    made = plan(minimal(nodes, config={"taintedEffects": policy}))
    asked = policy == "approve"
    assert not made.step("page").needs_approval
    assert made.step("post").needs_approval is asked
    assert made.waits is asked
