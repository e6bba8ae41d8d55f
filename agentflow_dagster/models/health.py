"""How models have been doing in this process: which to leave alone a while, how quick each is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_IN_A_ROW = 3
"""Failures after which a model is left alone."""
_COOLING = 30.0
_LONGEST = 300.0
_WEIGHT = 0.2
"""Of the newest answer in the average of latencies."""


@dataclass(slots=True)
class _Record:
    failures: int = 0
    until: float = 0.0
    latency_ms: float | None = None


class Health:
    """What is remembered of each model, by name. Threads may share it.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: dict[str, _Record] = {}

    def answered(self, name: str, latency_ms: float) -> None:
        """A model has answered."""
        record = self._records.setdefault(name, _Record())
        record.failures, record.until = 0, 0.0
        before = record.latency_ms
        record.latency_ms = (
            latency_ms if before is None else before + _WEIGHT * (latency_ms - before)
        )

    def failed(self, name: str, *, retry_after: float | None = None) -> None:
        """A model has failed, for no fault of the call's.

        Args:
            name: Which.
            retry_after: Seconds that it asks to be left alone.
        """
        record = self._records.setdefault(name, _Record())
        record.failures += 1
        if retry_after is not None:
            record.until = self._clock() + min(retry_after, _LONGEST)
        elif record.failures >= _IN_A_ROW:
            record.until = self._clock() + _COOLING

    def cooling(self, name: str) -> float:
        """Seconds that a model is still to be left alone."""
        record = self._records.get(name)
        return max(0.0, record.until - self._clock()) if record else 0.0

    def latency_ms(self, name: str) -> float | None:
        """How long its answers take; None where it has given none yet."""
        record = self._records.get(name)
        return record.latency_ms if record else None
