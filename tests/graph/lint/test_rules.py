"""Each rule: what it tells, and what it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.documents import minimal, problems

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue

INPUTS: JsonObject = {"type": "object", "properties": {"body": {"type": "string"}}}
READS: JsonObject = {"kind": "ai.chat", "with": {"prompt": "{{input.body}}"}}
ANSWER: JsonObject = {"answer": "{{a.output.text}}"}
ROUTE: JsonObject = {
    "kind": "logic.switch",
    "with": {"cases": {"one": "{{input.body == ''}}"}, "default": "other"},
}


def call(url: str, **more: JsonValue) -> JsonObject:
    headers: JsonObject = {"authorization": "{{secret.TOKEN}}"}
    return {"kind": "tool.http", "with": {"url": url, "headers": headers}, **more}


def chat(prompt: str) -> JsonObject:
    return {"kind": "ai.chat", "with": {"prompt": prompt}}


def told(nodes: JsonObject, **spec: JsonValue) -> list[tuple[str, str, str]]:
    found = problems(minimal(nodes, **{"inputs": INPUTS, **spec}))
    assert all(d.message.endswith(".") and d.hint.endswith((".", "?")) for d in found)
    return [(d.severity, d.code, d.pointer) for d in found]


@pytest.mark.parametrize(
    ("nodes", "spec", "code", "pointer"),
    [
        ({"a": READS, "route": ROUTE}, {}, "AF311", "/spec/nodes/route/with/cases/one"),
        (
            {"a": READS, "call": {"kind": "tool.http", "with": {"url": "https://x.example"}}},
            {},
            "AF701",
            "/spec/nodes/call",
        ),
        ({"a": READS, "b": READS}, {"outputs": ANSWER}, "AF702", "/spec/nodes/b"),
        ({"a": READS}, {"secrets": ["TOKEN"]}, "AF703", "/spec/secrets/0"),
        ({"a": READS}, {"env": ["HOST"]}, "AF704", "/spec/env/0"),
        ({"a": chat("{{run.id}}")}, {}, "AF705", "/spec/inputs/properties/body"),
        ({"a": READS, "b": chat("A poem.")}, {}, "AF706", "/spec/nodes/b/with"),
        (
            {"a": chat("{{secret.TOKEN}}{{input.body}}")},
            {"secrets": ["TOKEN"]},
            "AF707",
            "/spec/nodes/a/with/prompt",
        ),
        (
            {"a": READS, "b": call("http://x.example/{{input.body}}", timeout="5s")},
            {"secrets": ["TOKEN"]},
            "AF708",
            "/spec/nodes/b/with/url",
        ),
    ],
)
def test_what_is_unwise_is_told(
    nodes: JsonObject, spec: JsonObject, code: str, pointer: str
) -> None:
    assert told(nodes, **spec) == [("warning", code, pointer)]


@pytest.mark.parametrize(
    ("nodes", "spec"),
    [
        ({"a": READS, "route": ROUTE, "b": {**READS, "after": ["route.one"]}}, {}),
        ({"a": READS, "c": {"kind": "tool.http", "with": {"url": "https://x.example"}}}, {
            "defaults": {"timeout": "5s"}
        }),
        ({"a": READS, "c": {"kind": "tool.http", "with": {"url": "https://x.example"}}}, {
            "config": {"defaultTimeout": "300s"}
        }),
        ({"a": READS, "b": READS}, {}),
        ({"a": READS, "b": {**READS, "after": ["a"]}}, {"outputs": {"b": "{{b.output.text}}"}}),
        ({"a": {**READS, "with": {"prompt": "All: {{input}}"}}}, {}),
        ({"a": READS, "b": call("http://localhost:8000", timeout="5s")}, {"secrets": ["TOKEN"]}),
        ({"a": READS, "b": call("https://x.example", timeout="5s")}, {"secrets": ["TOKEN"]}),
    ],
)  # fmt: skip
def test_what_is_wise_is_left_alone(nodes: JsonObject, spec: JsonObject) -> None:
    assert told(nodes, **spec) == []


def test_an_agent_with_an_error_is_not_lectured() -> None:
    found = told({"a": chat("{{input.bdy}}")}, secrets=["TOKEN"])
    assert [code for _, code, _ in found] == ["AF203"]


def each(nodes: JsonObject, outputs: JsonObject) -> JsonObject:
    body: JsonObject = {"nodes": nodes, "outputs": outputs}
    over = "{{[input.body]}}"
    return {"kind": "logic.loop", "with": {"over": over, "maxItems": 3, "body": body}}


def both(nodes: JsonObject, outputs: JsonObject) -> JsonObject:
    branch: JsonObject = {"nodes": nodes, "outputs": outputs}
    return {"kind": "logic.parallel", "with": {"branches": {"one": branch}}}


SAID: JsonObject = {"said": "{{inner.output.text}}"}


@pytest.mark.parametrize("around", ["with/body", "with/branches/one"])
@pytest.mark.parametrize(
    ("inner", "spec", "code", "place"),
    [
        ({"inner": chat("A poem about {{input.body}}."), "b": READS}, {}, "AF702", "b"),
        ({"inner": chat("A poem.")}, {}, "AF706", "inner/with"),
        (
            {"inner": chat("{{input.body}}{{secret.TOKEN}}")},
            {"secrets": ["TOKEN"]},
            "AF707",
            "inner/with/prompt",
        ),
        (
            {"inner": READS, "b": call("http://x.example", timeout="5s")},
            {"secrets": ["TOKEN"]},
            "AF708",
            "b/with/url",
        ),
        (
            {"inner": READS, "b": {"kind": "tool.http", "with": {"url": "https://x.example"}}},
            {},
            "AF701",
            "b",
        ),
        ({"inner": READS, "route": ROUTE}, {}, "AF311", "route/with/cases/one"),
    ],
)
def test_what_is_unwise_in_a_body_is_told_there(
    around: str, inner: JsonObject, spec: JsonObject, code: str, place: str
) -> None:
    made = each if around == "with/body" else both
    outside: JsonObject = {"a": chat("{{input.body}}"), "many": made(inner, SAID)}
    found = told(outside, **spec)
    assert [one for one in found if one[1] not in ("AF709", "AF705")] == [
        ("warning", code, f"/spec/nodes/many/{around}/nodes/{place}")
    ]


def test_a_loop_around_a_loop_is_told_of_once() -> None:
    inside = each({"inner": chat("{{input.body}}")}, SAID)
    outside = each({"many": inside}, {"all": "{{many.output}}"})
    found = told({"outer": both({"again": outside}, {"all": "{{again.output}}"})})
    assert [one for one in found if one[1] == "AF709"] == [
        ("warning", "AF709", "/spec/nodes/outer/with/branches/one/nodes/again")
    ]
