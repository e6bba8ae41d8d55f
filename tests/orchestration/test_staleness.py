"""What a new version makes stale in Dagster: what was changed and what comes after it, no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dagster import AssetKey
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from tests.orchestration.samples import TRIAGE, agent

if TYPE_CHECKING:
    from tests.orchestration.bench import Bench

PROMPTS = """
    top: {kind: ai.chat, with: {prompt: t}}
    left: {kind: ai.chat, with: {prompt: "l {{top.output.text}}"}}
    right: {kind: ai.chat, with: {prompt: "r {{top.output.text}}"}}
    route: {kind: logic.switch, with: {cases: {on: "{{left.output.text != ''}}"}}}
    below: {kind: ai.chat, after: [route.on], with: {prompt: b}}
    end: {kind: ai.chat, with: {prompt: "{{below.output.text}}+{{right.output.text}}"}}
    apart: {kind: ai.chat, with: {prompt: a}}
"""
FRESH, STALE, MISSING = StaleStatus.FRESH, StaleStatus.STALE, StaleStatus.MISSING


def statuses(bench: Bench, agent: str) -> dict[str, StaleStatus]:
    graph = bench.repository.asset_graph
    loading = LoadingContextForTest(bench.instance)
    resolver = CachingStaleStatusResolver(bench.instance, graph, loading)
    keys = graph.materializable_asset_keys
    return {k.path[1]: resolver.get_status(k) for k in keys if k.path[0] == agent}


def stale(bench: Bench, agent: str) -> set[str]:
    return {node for node, status in statuses(bench, agent).items() if status != FRESH}


def test_all_is_fresh_after_a_run(bench: Bench) -> None:
    bench.serve(agent("fresh", PROMPTS))
    assert set(statuses(bench, "fresh").values()) == {MISSING}
    bench.run("fresh")
    assert set(statuses(bench, "fresh").values()) == {FRESH}
    bench.run("fresh")
    assert set(statuses(bench, "fresh").values()) == {FRESH}


@pytest.fixture(scope="module")
def once_made(shared_bench: Bench) -> Bench:
    """All of `changed` has been made once."""
    shared_bench.serve(agent("changed", PROMPTS))
    shared_bench.run("changed")
    return shared_bench


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("prompt: t", "prompt: T", {"top", "left", "right", "below", "end"}),
        ('"r {{', '"R {{', {"right", "end"}),
        ('"l {{', '"L {{', {"left", "below", "end"}),
        ("prompt: b", "prompt: B", {"below", "end"}),
        ("prompt: a", "prompt: A", {"apart"}),
        ("text != ''", "text != 'x'", {"below", "end"}),
        ("after: [route.on],", "after: [route.on], llm: {temperature: 0.5},", {"below", "end"}),
        ("after: [route.on],", "after: [route.on], retry: {maxAttempts: 2},", set[str]()),
        ("after: [route.on],", "after: [route.on], description: told,", set[str]()),
    ],
)
def test_a_change_marks_itself_and_what_is_downstream(
    once_made: Bench, old: str, new: str, changed: set[str]
) -> None:
    once_made.serve(agent("changed", PROMPTS.replace(old, new)))
    assert stale(once_made, "changed") == changed


def test_making_a_stale_part_makes_it_fresh(bench: Bench) -> None:
    bench.serve(agent("partly", PROMPTS))
    bench.run("partly")
    bench.serve(agent("partly", PROMPTS.replace('"r {{', '"R {{')))
    ran = bench.partial("partly", "right", "end")
    assert ran.materialized == {"right", "end"}
    assert stale(bench, "partly") == set()


def test_a_way_never_taken_is_missing_and_what_follows_is_not(bench: Bench) -> None:
    bench.serve(TRIAGE)
    bench.run("support-triage", {"body": "a bug"})
    assert statuses(bench, "support_triage") == {
        "classify": FRESH,
        "file_bug": FRESH,
        "draft": MISSING,
        "done": FRESH,
    }


def test_each_materialization_says_what_it_was_made_of(bench: Bench) -> None:
    bench.serve(agent("made", PROMPTS))
    ran = bench.run("made")
    events = {
        entry.asset_materialization.asset_key.path[1]: (entry, entry.asset_materialization)
        for entry in ran.events
        if entry.asset_materialization
    }
    tags = events["left"][1].tags or {}
    top_tags = events["top"][1].tags or {}
    key = AssetKey(["made", "top"]).to_user_string()
    assert tags["dagster/code_version"] == bench.compiled["made"].plan.step("left").code_version
    assert tags[f"dagster/input_data_version/{key}"] == top_tags["dagster/data_version"]
