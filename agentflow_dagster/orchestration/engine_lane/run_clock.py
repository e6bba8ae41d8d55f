"""A run's time, which goes on evenly whatever becomes of the machine's clock."""

from __future__ import annotations

import time


class RunClock:
    """The machine's time when the run begins here, and from then on as much later as time has
    passed: setting the clock changes no order of a run's events, and none of its durations.

    Args:
        not_before: What is recorded of the run already (Unix seconds).
    """

    def __init__(self, *, not_before: float = 0.0) -> None:
        self._ahead = max(time.time(), not_before) - time.monotonic()

    def now(self) -> float:
        """Unix seconds."""
        return self._ahead + time.monotonic()
