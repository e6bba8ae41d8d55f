"""Whose turn it is, by a clock of the test's own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models import turns as turns_module
from agentflow_dagster.models.call_failures import CallFailed
from agentflow_dagster.models.catalogue import Entry
from agentflow_dagster.models.choice import Choice
from agentflow_dagster.models.routing import Candidate
from agentflow_dagster.models.turns import Turns


class Clock:
    now = 1_000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(turns_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def turns(*names: str, timeout: float | None = None) -> Turns:
    return Turns(
        [Candidate(Choice("p", name), Entry(), f"{name} is good") for name in names], timeout
    )


def failed(
    *, again: bool = True, retry_after: float | None = None, why: str = "busy"
) -> CallFailed:
    error = ModelError(why, model="m", provider="p")
    return CallFailed(error, outcome="refused", again=again, retry_after=retry_after)


def asked(of: Turns) -> tuple[str, float] | None:
    found = of.next()
    return (found[0].choice.model, found[1]) if found else None


def test_the_next_one_is_asked_at_once_and_the_first_again_after_a_rest(clock: Clock) -> None:
    two = turns("a", "b")
    assert asked(two) == ("a", 0)
    two.failed(failed())
    assert asked(two) == ("b", 0)
    two.failed(failed(again=False))
    found = asked(two)
    assert found is not None
    assert found[0] == "a"
    assert 0.375 <= found[1] <= 0.625
    clock.now += found[1]
    assert asked(two) == ("a", 0)


def test_a_model_is_called_three_times_and_its_rest_doubles(clock: Clock) -> None:
    one = turns("a")
    rests: list[float] = []
    while found := asked(one):
        rests.append(found[1])
        clock.now += found[1]
        one.failed(failed())
    first, second, third = rests
    assert first == 0
    assert 0.375 <= second <= 0.625
    assert 0.75 <= third <= 1.25


@pytest.mark.parametrize(("told", "rest"), [(7.0, 7.0), (0.0, 0.0), (3_600.0, 60.0)])
@pytest.mark.usefixtures("clock")
def test_what_the_provider_asks_for_goes_before_our_own_rest(told: float, rest: float) -> None:
    one = turns("a")
    one.next()
    one.failed(failed(retry_after=told))
    assert asked(one) == ("a", pytest.approx(rest))


@pytest.mark.usefixtures("clock")
def test_one_that_cannot_do_better_is_out() -> None:
    two = turns("a", "b")
    two.next()
    two.failed(failed(again=False))
    assert asked(two) == ("b", 0)
    two.out()
    assert asked(two) is None


@pytest.mark.usefixtures("clock")
def test_of_those_that_rest_equally_the_better_goes_first() -> None:
    two = turns("a", "b")
    two.next()
    two.rest(5)
    two.next()
    two.rest(5)
    assert asked(two) == ("a", pytest.approx(5))


@pytest.mark.usefixtures("clock")
def test_of_those_that_rest_the_first_to_be_ready_goes_first() -> None:
    two = turns("a", "b")
    two.next()
    two.rest(9)
    two.next()
    two.rest(4)
    assert asked(two) == ("b", pytest.approx(4))


def test_nobody_is_asked_after_the_calls_time_is_over(clock: Clock) -> None:
    one = turns("a", timeout=10)
    assert one.seconds_left == 10
    one.next()
    one.rest(9)
    assert asked(one) == ("a", pytest.approx(9))
    one.rest(10)
    assert asked(one) is None
    clock.now += 4
    assert one.seconds_left == pytest.approx(6)
    clock.now += 60
    assert one.seconds_left == 0.001  # A limit of 0 would be none for LiteLLM.


@pytest.mark.usefixtures("clock")
def test_a_call_without_a_limit_waits_two_minutes_at_most() -> None:
    one = turns("a")
    assert one.seconds_left is None
    one.next()
    one.rest(119)
    assert asked(one) == ("a", pytest.approx(119))
    one.rest(120)
    assert asked(one) is None


@pytest.mark.usefixtures("clock")
def test_the_reason_tells_what_failed_before() -> None:
    two = turns("a", "b")
    found = two.next()
    assert found is not None
    assert two.reason(found[0]) == "a is good"
    two.failed(failed(why="was busy"))
    found = two.next()
    assert found is not None
    assert two.reason(found[0]) == "b is good, after p/a: was busy"
    two.failed(failed(why="broke"))
    assert two.history == ["p/a: was busy", "p/b: broke"]


def test_without_candidates_nobody_is_asked() -> None:
    assert asked(turns()) is None
