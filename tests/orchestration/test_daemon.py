"""The daemon looks at backfills often enough for a person who waits for one."""

from __future__ import annotations

import logging
from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from dagster._daemon import controller
from dagster._daemon.backfill import execute_backfill_iteration_loop

from agentflow_dagster.orchestration.daemon import quicken

if TYPE_CHECKING:
    import pytest

    from tests.orchestration.bench import Bench


class Waits(Event):
    """Notes how long it is waited for, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        return False


def wait_between_looks(bench: Bench) -> float:
    waits = Waits()
    context: Any = SimpleNamespace(instance=bench.instance)
    loop = execute_backfill_iteration_loop(context, logging.getLogger(), waits)
    while not waits.seconds:
        next(cast("Any", loop))
    return waits.seconds[0]


def test_backfills_are_looked_at_every_few_seconds(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controller, "DEFAULT_DAEMON_INTERVAL_SECONDS", 30)  # and again at the end
    assert wait_between_looks(bench) > 10
    quicken()
    assert wait_between_looks(bench) <= 5
