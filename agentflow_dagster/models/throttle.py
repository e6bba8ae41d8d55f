"""Keeps calls below the rates that `models.yaml` sets, each process by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentflow_dagster.models.choice import Choice
    from agentflow_dagster.models.settings import ModelSettings


class Throttle:
    """Counts requests and tokens of the last minute, of each model and each provider.

    Args:
        settings: The project's.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._limiter: Any = None

    def wait(self, choice: Choice, tokens: int) -> float:
        """Counts a call, and gives 0; or gives the seconds until there may be room for it."""
        waits = [
            self._one(said.requests_per_minute, said.tokens_per_minute, name, tokens)
            for name, said in (
                (choice.provider, self._settings.providers.get(choice.provider)),
                (choice.name, self._settings.models.get(choice.name)),
            )
            if said is not None
        ]
        return max(waits, default=0.0)

    def _one(self, requests: int | None, tokens: int | None, name: str, size: int) -> float:
        wait = 0.0
        if requests is not None:
            wait = self._hit(requests, f"{name} requests", 1)
        if tokens is not None and not wait:
            wait = self._hit(tokens, f"{name} tokens", min(size, tokens))
        return wait

    def _hit(self, most: int, name: str, cost: int) -> float:
        from limits import RateLimitItemPerMinute
        from limits.storage import MemoryStorage
        from limits.strategies import MovingWindowRateLimiter

        if self._limiter is None:
            self._limiter = MovingWindowRateLimiter(MemoryStorage())
        item = RateLimitItemPerMinute(most)
        if self._limiter.hit(item, name, cost=cost):
            return 0.0
        reset = float(self._limiter.get_window_stats(item, name).reset_time)
        return max(0.05, reset - time.time())
