"""Rates of `models.yaml`, by a clock of the test's own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.models.choice import Choice
from agentflow_dagster.models.settings import ModelSettings
from agentflow_dagster.models.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable

BIG, SMALL = Choice("acme", "big"), Choice("acme", "small")
OTHER = Choice("openai", "gpt-4.1")


@pytest.fixture
def pass_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds pass."""
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


def throttle(*, providers: object = None, models: object = None) -> Throttle:
    said = {"providers": providers or {}, "models": models or {}}
    return Throttle(ModelSettings.model_validate(said))


def test_without_a_limit_nobody_waits() -> None:
    free = throttle(providers={"acme": {"local": True}})
    assert [free.wait(BIG, 10**9) for _ in range(5)] == [0.0] * 5


def test_requests_of_a_minute(pass_by: Callable[[float], None]) -> None:
    limited = throttle(models={"acme/big": {"requestsPerMinute": 2}})
    assert limited.wait(BIG, 1) == 0
    pass_by(20)
    assert limited.wait(BIG, 1) == 0
    assert limited.wait(BIG, 1) == pytest.approx(40, abs=1)
    assert limited.wait(SMALL, 1) == 0
    assert limited.wait(OTHER, 1) == 0
    pass_by(41)
    assert limited.wait(BIG, 1) == 0
    assert limited.wait(BIG, 1) > 0  # The second one's minute is not over.


def test_models_of_a_provider_share_its_limit() -> None:
    limited = throttle(providers={"acme": {"requestsPerMinute": 1}})
    assert limited.wait(BIG, 1) == 0
    assert limited.wait(SMALL, 1) > 0
    assert limited.wait(OTHER, 1) == 0


def test_tokens_of_a_minute() -> None:
    limited = throttle(models={"acme/big": {"tokensPerMinute": 100}})
    assert limited.wait(BIG, 60) == 0
    assert limited.wait(BIG, 41) > 0
    assert limited.wait(BIG, 40) == 0


def test_a_call_that_is_larger_than_the_limit_takes_all_of_it_once() -> None:
    limited = throttle(models={"acme/big": {"tokensPerMinute": 100}})
    assert limited.wait(BIG, 5_000) == 0
    assert limited.wait(BIG, 1) > 0


def test_requests_and_tokens_both_hold() -> None:
    both = {"requestsPerMinute": 2, "tokensPerMinute": 100}
    limited = throttle(models={"acme/big": both})
    assert limited.wait(BIG, 90) == 0
    assert limited.wait(BIG, 90) > 0
    limited = throttle(models={"acme/big": both})
    assert [limited.wait(BIG, 10) == 0 for _ in range(3)] == [True, True, False]


def test_the_longer_wait_counts(pass_by: Callable[[float], None]) -> None:
    limited = throttle(
        providers={"acme": {"requestsPerMinute": 1}}, models={"acme/big": {"requestsPerMinute": 9}}
    )
    assert limited.wait(SMALL, 1) == 0
    pass_by(30)
    assert limited.wait(BIG, 1) == pytest.approx(30, abs=1)


def test_two_throttles_count_apart() -> None:
    said = {"acme/big": {"requestsPerMinute": 1}}
    assert throttle(models=said).wait(BIG, 1) == 0
    assert throttle(models=said).wait(BIG, 1) == 0
