"""What providers are called with: keys of the project's secrets, addresses of its environment."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from agentflow_dagster.ports.secrets import Secrets

FRESH_SECONDS = 60.0
"""How long what secrets said counts: they may be a server's."""
_OF_THE_TABLE = frozenset(name for provider in PROVIDERS for name in provider.keys)


class Keys:
    """Looks up providers' variables. The project's secrets go before its environment, but are asked
    for keys alone: where a key is sent, the environment says.

    Args:
        environment: Environment variables.
        secrets: Asked first for keys; None leaves them to the environment.
        more: Variables that hold keys, beside those of our table.
        clock: Seconds, of any origin.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        secrets: Secrets | None = None,
        *,
        more: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environment = environment
        self._secrets = secrets
        self._names = _OF_THE_TABLE | set(more)
        self._clock = clock
        self._known: dict[str, str | None] = {}
        self._until = 0.0
        self._lock = Lock()

    def __call__(self, name: str) -> str | None:
        """A variable's value; None where it is not set. May wait for whoever keeps the secrets.

        Raises:
            ModelError: the secrets cannot be asked. Nothing else stands in: another model than the
                one that is meant might answer.
        """
        if self._secrets is not None and name in self._names:
            self._ask(self._secrets)
            return self._known[name] or self._environment.get(name)
        return self._environment.get(name)

    @property
    def at_hand(self) -> bool:
        """Whether looking up need not wait."""
        return self._secrets is None or self._clock() < self._until

    def forget(self) -> None:
        """Has the secrets asked anew: a key was refused."""
        self._until = 0.0

    def _ask(self, secrets: Secrets) -> None:
        if self.at_hand:
            return
        with self._lock:
            if not self.at_hand:  # Of those who waited, one asks.
                self._known = {name: _asked(name, secrets) for name in sorted(self._names)}
                self._until = self._clock() + FRESH_SECONDS


def _asked(name: str, secrets: Secrets) -> str | None:
    try:
        return secrets.lookup(name)
    except Exception as failure:  # noqa: BLE001 - a project's own may raise anything
        kind = type(failure).__name__
    # Out here, and without its words: they may hold what was asked for.
    raise ModelError(
        f"The project's secrets could not be asked for {name} ({kind}).",
        model="",
        provider="",
        retryable=True,
        hint="See the secrets resource in resources/.",
    )
