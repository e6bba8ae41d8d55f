"""A run, told by its changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.jupyter.node_states import NodeState, cost, duration
from agentflow_dagster.jupyter.run_progress import RunProgress
from agentflow_dagster.ports.live_events import (
    AssetMade,
    EventId,
    Figures,
    ModelSaid,
    RunChanged,
    StepChanged,
)

if TYPE_CHECKING:
    from agentflow_dagster.ports.live_events import LiveEvent


def run(at: float, state: Any, error: str = "") -> RunChanged:
    return RunChanged(EventId(1), at, "r", "a", state, error)


def step(at: float, node: str, state: Any, **more: Any) -> StepChanged:
    return StepChanged(EventId(1), at, "r", "a", node, state, **more)


def asset(at: float, node: str, figures: Figures) -> AssetMade:
    return AssetMade(EventId(1), at, "r", "a", node, f"a/{node}", 100.0, figures)


def told(*events: LiveEvent | ModelSaid) -> RunProgress:
    progress = RunProgress.of(("first", "second"))
    for event in events:
        progress = progress.after(event)
    return progress


def test_a_step_that_failed_has_cost_what_it_asked_for() -> None:
    taken = Figures(tokens_in=30, tokens_out=12, cost_usd=0.002, model="one", provider="acme")
    progress = told(
        step(1, "first", "started"), step(2, "first", "failed", error="Unfit.", figures=taken)
    )
    node = progress.nodes["first"]
    assert (node.state, node.tokens, node.cost) == ("failed", 42, 0.002)
    assert progress.lines[-1].text == "42 tokens, $0.0020, one"


def test_what_a_model_says_is_there_until_its_step_ends() -> None:
    said = ModelSaid("r", "first.a[0].say", "Once upon")
    spoken = [step(1, "first", "started"), said, ModelSaid("r", "second", "A time.")]
    assert told(*spoken).said == {"first.a[0].say": "Once upon", "second": "A time."}
    assert told(*spoken, step(2, "first", "succeeded"), said).said == {"second": "A time."}
    assert told(*spoken, ModelSaid("r", "second", "")).said == {"first.a[0].say": "Once upon"}
    assert told(*spoken, step(2, "first", "retrying")).said == {"second": "A time."}
    assert told(*spoken, run(3, "canceled"), said).said == {}


def test_before_anything_all_wait() -> None:
    assert told().nodes == {"first": NodeState("waiting"), "second": NodeState("waiting")}


def test_a_run_to_its_end() -> None:
    progress = told(
        run(10, "started"),
        step(11, "first", "started"),
        step(12, "first", "output", port="bug"),
        asset(12, "first", Figures(200, 40, 0.0004, "m", "p")),
        step(12, "first", "succeeded", latency_ms=900.0),
        step(12, "second", "skipped"),
        run(13, "succeeded"),
    )
    assert progress.nodes == {
        "first": NodeState("done", seconds=0.9, tokens=240, cost=0.0004, port="bug"),
        "second": NodeState("skipped"),
    }
    assert (progress.state, progress.began, progress.ended) == ("succeeded", 10, 13)
    assert (progress.tokens, progress.cost) == (240, 0.0004)
    assert [line.text for line in progress.lines] == [
        "run started",
        "started",
        "left by bug",
        "240 tokens, $0.0004, m",
        "succeeded in 900 ms",
        "skipped",
        "run succeeded",
    ]


def test_while_it_runs_it_says_since_when() -> None:
    assert told(step(11, "first", "started")).nodes["first"] == NodeState("running", since=11)


def test_retries_and_failures() -> None:
    begun = step(11, "first", "started")
    retried = told(begun, step(12, "first", "retrying", wait_seconds=2.0, error="away\nmore"))
    assert retried.nodes["first"].state == "retrying"
    assert retried.lines[-1].text == "tried again in 2 s: away"
    failed = told(begun, step(14, "first", "failed", error="gone"), run(15, "failed", "a step"))
    assert failed.nodes["first"] == NodeState("failed", seconds=3, error="gone")
    assert failed.nodes["second"].state == "canceled"
    assert [line.tone for line in failed.lines[-2:]] == ["bad", "bad"]


def test_a_handled_error_stays_to_be_seen() -> None:
    progress = told(
        step(11, "first", "started"),
        step(12, "first", "handled", error="away"),
        step(12, "first", "output", port="error"),
        step(12, "first", "succeeded", latency_ms=1000.0),
    )
    assert progress.nodes["first"].state == "handled"
    assert progress.nodes["first"].port == "error"


def test_one_price_that_is_not_known_leaves_the_sum_unknown() -> None:
    progress = told(
        asset(1, "first", Figures(1, 1, 0.1, "m", "p")),
        asset(1, "second", Figures(1, 1, None, "m", "p")),
    )
    assert progress.cost is None


def test_the_log_has_a_length() -> None:
    progress = told(*(step(i, "first", "started") for i in range(1000)))
    assert len(progress.lines) == 400
    assert progress.lines[-1].at == 999


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.34, "340 ms"), (1.25, "1.2 s"), (65.2, "1:05 min"), (7300, "2:01 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.0, "$0"),
        (0.0004, "$0.0004"),
        (0.00002, "$0.00002"),
        (1.5, "$1.50"),
        (None, "price not known"),
    ],
)
def test_costs(usd: float | None, text: str) -> None:
    assert cost(usd) == text
