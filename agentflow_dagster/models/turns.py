"""Whose turn it is to answer a call: the best model first, the next where it fails, and again."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agentflow_dagster.models.call_failures import CallFailed
    from agentflow_dagster.models.routing import Candidate

MOST_TRIES = 3
"""Calls of one model for one request."""
_FIRST_REST, _LONGEST_REST = 0.5, 60.0
_UNLIMITED = 120.0
"""Seconds that a call without a limit of its own may wait for a model in all."""


@dataclass(slots=True)
class _State:
    """How one model has done in this call."""

    tries: int = 0
    rest_until: float = 0.0
    is_out: bool = False


class Turns:
    """The turns of one call. Times are seconds of `time.monotonic`.

    Args:
        candidates: The best first.
        timeout: Seconds that the call may take in all.
        shown: Redacts what is told of failures.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        timeout: float | None,
        *,
        shown: Callable[[str], str] = str,
    ) -> None:
        self._shown = shown
        self._candidates = candidates
        self._states = [_State() for _ in candidates]
        self._limited = timeout is not None
        self._until = time.monotonic() + (_UNLIMITED if timeout is None else timeout)
        self._current = 0
        self.history: list[str] = []

    @property
    def seconds_left(self) -> float | None:
        """Of the call's own limit; None where it has none."""
        return max(0.001, self._until - time.monotonic()) if self._limited else None

    def next(self) -> tuple[Candidate, float] | None:
        """Who is asked next, and after how many seconds; None where nobody is left, or there is no
        time for it."""
        now = time.monotonic()
        open_ = [n for n, state in enumerate(self._states) if not state.is_out]
        if not open_:
            return None
        self._current = min(open_, key=lambda n: (max(self._states[n].rest_until, now), n))
        rest = max(0.0, self._states[self._current].rest_until - now)
        if now + rest >= self._until:
            return None
        return self._candidates[self._current], rest

    def failed(self, failure: CallFailed) -> None:
        """The one who was asked last has failed."""
        state = self._states[self._current]
        state.tries += 1
        name = self._candidates[self._current].choice.name
        self.history.append(self._shown(f"{name}: {failure.error.message}"))
        if not failure.again or state.tries >= MOST_TRIES:
            state.is_out = True
            return
        rest = _FIRST_REST * 2 ** (state.tries - 1) * random.uniform(0.75, 1.25)  # noqa: S311
        state.rest_until = time.monotonic() + (
            rest if failure.retry_after is None else min(failure.retry_after, _LONGEST_REST)
        )

    def rest(self, seconds: float) -> None:
        """The one whose turn it is must not be asked for some time."""
        self._states[self._current].rest_until = time.monotonic() + seconds

    def out(self) -> None:
        """The one whose turn it is cannot be asked at all."""
        self._states[self._current].is_out = True

    def reason(self, candidate: Candidate) -> str:
        """Why a model is asked now, with what had failed before."""
        after = "; ".join(self.history)
        return f"{candidate.reason}, after {after}" if after else candidate.reason
