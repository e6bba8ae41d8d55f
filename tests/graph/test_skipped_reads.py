"""Nodes that no run reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.documents import codes, minimal, problems

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

CHAT: JsonObject = {"kind": "ai.chat", "with": {"prompt": "hi"}}
ROUTE: JsonObject = {
    "kind": "logic.switch",
    "with": {"cases": {"one": "{{run.id == ''}}"}, "default": "other"},
}
BOTH: JsonObject = {**CHAT, "after": ["route.one", "route.other"]}


def test_a_node_after_both_ways_of_a_switch_never_runs() -> None:
    nodes: JsonObject = {"route": ROUTE, "b": BOTH, "c": {**CHAT, "after": ["b"]}}
    (found,) = (d for d in problems(minimal(nodes)) if d.severity == "error")
    assert (found.code, found.pointer) == ("AF312", "/spec/nodes/b")
    assert "'route.one', 'route.other'" in found.message


def test_one_of_them_is_enough_where_it_says_so() -> None:
    assert codes(minimal({"route": ROUTE, "b": {**BOTH, "join": "any"}})) == []


def test_reading_nodes_of_two_ways_is_as_bad() -> None:
    ways: JsonObject = {
        "route": ROUTE,
        "a": {**CHAT, "after": ["route.one"]},
        "b": {**CHAT, "after": ["route.other"]},
    }
    prompt = "{{a.output.text}}{{b.output.text}}"
    nodes: JsonObject = {**ways, "c": {"kind": "ai.chat", "with": {"prompt": prompt}}}
    assert codes(minimal(nodes)) == ["AF312"]
