"""Edges, order, cycles and nearest ancestors."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflow_dagster.graph.topology import Edge, Topology, nearest_ancestors, sort
from tests.support.documents import minimal, plan, problems, sample
from tests.support.properties import patiently

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

CHAT: JsonObject = {"kind": "ai.chat", "with": {"prompt": "hi"}}


def edge(source: str, target: str) -> Edge:
    return Edge(source, "result", target)


def test_the_samples_edges() -> None:
    steps = {
        step.name: [(e.source, e.port, e.role) for e in step.edges] for step in plan(sample()).steps
    }
    assert steps == {
        "classify": [],
        "route": [("classify", "result", "required")],
        "file_bug": [("route", "bug", "required")],
        "draft": [("route", "other", "required")],
        "done": [("file_bug", "result", "any"), ("draft", "result", "any")],
    }


def test_a_guarded_read_waits_and_never_skips() -> None:
    given = minimal(
        {
            "a": {**CHAT, "when": "{{run.id == 'y'}}"},
            "b": {"kind": "ai.chat", "with": {"prompt": "{{has(a.output) ? a.output.text : ''}}"}},
        }
    )
    assert plan(given).step("b").edges == (Edge("a", "result", "b", "optional"),)


def test_a_deep_guard_is_a_plain_read() -> None:
    """has(a.output.text) fails where `a` left no output, so that it cannot stand for it."""
    given = minimal({"a": CHAT, "b": {**CHAT, "when": "{{has(a.output.text)}}"}})
    assert plan(given).step("b").edges == (Edge("a", "result", "b", "required"),)


def test_errors_go_by_their_own_port() -> None:
    given = minimal(
        {
            "a": {**CHAT, "onError": {"to": "b"}},
            "b": {"kind": "ai.chat", "with": {"prompt": "{{a.error.message}}"}},
            "c": {**CHAT, "after": ["a"]},
            "d": {**CHAT, "after": ["a.error"]},
        }
    )
    made = plan(given)
    assert made.step("a").ports == ("result", "error")
    assert made.step("a").handles_errors
    assert made.step("b").edges == (Edge("a", "error", "b"),)
    assert made.step("c").edges == (Edge("a", "result", "c"),)
    assert made.step("d").edges == (Edge("a", "error", "d"),)


def test_join_any_governs_what_is_written_and_named() -> None:
    given = minimal(
        {
            "a": {**CHAT, "onError": {"to": "m"}},
            "b": CHAT,
            "m": {"kind": "logic.merge", "join": "any", "after": ["b"], "with": {"from": ["a"]}},
        }
    )
    assert {(e.source, e.port, e.role) for e in plan(given).step("m").edges} == {
        ("a", "error", "any"),
        ("b", "result", "any"),
        ("a", "result", "any"),
    }


@pytest.mark.parametrize(
    ("edges", "cycle"),
    [
        ([("a", "a")], {"a"}),
        ([("a", "b"), ("b", "a")], {"a", "b"}),
        ([("a", "b"), ("b", "c"), ("c", "b")], {"b", "c"}),
    ],
)
def test_a_cycle_is_named(edges: list[tuple[str, str]], cycle: set[str]) -> None:
    found = sort("abc", [edge(*pair) for pair in edges])
    assert isinstance(found, tuple)
    assert found[0] == found[-1]
    assert set(found) == cycle


def test_an_error_that_returns_to_its_node_is_a_cycle() -> None:
    (found,) = problems(minimal({"a": {**CHAT, "onError": {"to": "a"}}}))
    assert (found.code, found.message) == ("AF310", "The nodes wait for each other: a -> a.")


@patiently(200)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=12))
def test_everything_comes_after_what_it_waits_for(pairs: list[tuple[str, str]]) -> None:
    edges = [edge(*pair) for pair in pairs]
    found = sort("fedcba", edges)
    if not isinstance(found, Topology):
        assert all((a, b) in pairs for a, b in pairwise(found))
        return
    assert sorted(found.order) == list("abcdef")
    rank = {name: i for i, name in enumerate(found.order)}
    assert all(rank[e.source] < rank[e.target] for e in found.edges)


def test_nodes_that_do_not_wait_keep_their_order() -> None:
    found = sort("zyx", [])
    assert isinstance(found, Topology)
    assert found.order == ("z", "y", "x")


def test_nearest_assets_through_what_is_none() -> None:
    found = sort("abcd", [edge("a", "b"), edge("b", "c"), edge("a", "c"), edge("c", "d")])
    assert isinstance(found, Topology)
    wanted = {"a": True, "b": False, "c": False, "d": True}
    assert nearest_ancestors(found, wanted) == {"a": (), "b": ("a",), "c": ("a",), "d": ("a",)}
