"""What was seen when cells ran, beside what their texts say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.notebook import read_agent
from agentflow_dagster.notebook.seen import MIME, Seen, SeenEdge, Taken, read_seen, to_bundle

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonValue

A, B, C = "%%node a\nx = 1", "%%node b\ny = x", "%%node c\nz = x + y"


def shown(bundle: JsonValue) -> list[JsonValue]:
    return [{"output_type": "display_data", "data": {"text/plain": "", MIME: bundle}}]


def reading(cells: list[tuple[str, JsonValue]]) -> tuple[Any, list[str]]:
    """The agent of some cells, each with the bundle of its output."""
    entries = [
        {
            "cell_type": "code",
            "id": f"c{place}",
            "metadata": {},
            "source": source,
            "outputs": [] if bundle is None else shown(bundle),
        }
        for place, (source, bundle) in enumerate(cells)
    ]
    text = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": entries})
    document, _, found = read_agent(text, file="a.ipynb")
    return document, [f"{one.code} {one.message}" for one in found]


class TestReadSeen:
    def test_edges_between_texts_that_are_as_they_were(self) -> None:
        bundle = to_bundle(f"\n{B}\n", [Taken(A, frozenset({"x"}), frozenset({"w"}))], ["y"])
        edge = SeenEdge(0, 1, frozenset({"x"}), frozenset({"w"}))
        assert read_seen([(A, []), (B, shown(bundle))]) == Seen((edge,), {1: frozenset({"y"})})

    @pytest.mark.parametrize("first", [f"{A}1", "", C])
    def test_another_text_of_the_maker(self, first: str) -> None:
        bundle = to_bundle(B, [Taken(A, frozenset({"x"}))])
        assert read_seen([(first, []), (B, shown(bundle))]).edges == ()

    def test_another_text_of_the_reader(self) -> None:
        bundle = to_bundle(B, [Taken(A, frozenset({"x"}))])
        assert read_seen([(A, []), (f"{B} + 1", shown(bundle))]) == Seen()

    @pytest.mark.parametrize(
        "outputs",
        [
            None,
            7,
            ["x"],
            [{"data": None}],
            [{"data": {MIME: "text"}}],
            [{"data": {MIME: {"version": 2}}}],
            shown({**to_bundle(B, []), "takes": 1, "makes": 2}),
            shown({**to_bundle(B, []), "takes": [1, {"text": 1}], "makes": [1, "no name"]}),
        ],
    )
    def test_odd_outputs_say_nothing(self, outputs: JsonValue) -> None:
        seen = read_seen([(A, []), (B, outputs)])
        assert seen.edges == ()
        assert set().union(*seen.makes.values()) == set()


class TestHiddenNames:
    def test_a_name_that_exec_made_is_wired(self) -> None:
        first, second = "%%node a\nexec(input())\nk = 1", "%%node b\ny = score + k"
        document, found = reading([(first, None), (second, None)])
        assert "score" not in document["spec"]["nodes"]["b"]["with"]["inputs"]
        bundle = to_bundle(first, [], ["score", "k"])
        document, found = reading([(first, bundle), (second, None)])
        assert document["spec"]["nodes"]["b"]["with"]["inputs"]["score"] == "{{a.output.score}}"
        assert [one[:5] for one in found] == ["AF618"]

    def test_a_name_that_eval_read_is_wired(self) -> None:
        second = "%%node b\ny = eval(input())"
        bundle = to_bundle(second, [Taken(A, frozenset({"x"}))])
        document, _ = reading([(A, None), (second, bundle)])
        assert document["spec"]["nodes"]["b"]["with"]["inputs"] == {"x": "{{a.output.x}}"}

    def test_what_no_text_could_have_read_was_not(self) -> None:
        bundle = to_bundle("%%node b\ny = 1", [Taken(A, frozenset({"x"}), frozenset({"x"}))])
        document, found = reading([(A, None), ("%%node b\ny = 1", bundle)])
        assert document["spec"]["nodes"]["b"]["with"].get("inputs", {}) == {}
        assert found == []


class TestDisagreements:
    def test_what_was_not_seen_is_none(self) -> None:
        document, found = reading([(A, None), (B, to_bundle(B, []))])
        assert found == []
        assert document["spec"]["nodes"]["b"]["with"]["inputs"] == {"x": "{{a.output.x}}"}

    def test_a_value_of_another_cell(self) -> None:
        bundle = to_bundle(B, [Taken("x = 5", frozenset({"x"}))])
        _, found = reading([(A, None), (B, bundle), ("x = 5", None)])
        assert found == [
            (
                "AF629 node 'b' (cell 2) took 'x' from the exploration cell (cell 3) when it ran; "
                "in the agent it takes it from node 'a' (cell 1)."
            )
        ]

    def test_a_cell_in_between_is_told_once(self) -> None:
        bundle = to_bundle(B, [Taken("x = 5", frozenset({"x"}))])
        _, found = reading([(A, None), ("x = 5", None), (B, bundle)])
        assert [one[:5] for one in found] == ["AF623"]

    def test_a_change_that_the_text_hides(self) -> None:
        first, second = "%%node a\nx = [1]", "%%node b\nimport lib\nlib.more(x)\ny = 1"
        bundle = to_bundle(
            C, [Taken(first, frozenset({"x"})), Taken(second, changed=frozenset("x"))]
        )
        _, found = reading([(first, None), (second, None), (C, bundle)])
        assert found == [
            (
                "AF630 node 'b' (cell 2) changed 'x' in place when it ran, which node 'a' (cell 1) "
                "makes; node 'c' (cell 3) saw it, and would not in the agent."
            )
        ]

    def test_a_change_that_the_text_shows_is_told_once(self) -> None:
        first, second = "%%node a\nx = [1]", "%%node b\nx.append(2)\ny = 1"
        bundle = to_bundle(C, [Taken(second, changed=frozenset("x"))])
        _, found = reading([(first, None), (second, None), (C, bundle)])
        assert [one[:5] for one in found] == ["AF616"]
