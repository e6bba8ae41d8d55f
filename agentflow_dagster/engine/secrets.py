"""Secrets from environment variables, and those that a document declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.engine.redaction import MIN_LENGTH
from agentflow_dagster.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agentflow_dagster.ports.secrets import Secrets


class EnvironmentSecrets:
    """Looks a secret up among variables of the same name."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def lookup(self, name: str) -> str | None:
        """The variable's value; None where it is unset or empty."""
        return self._environment.get(name) or None


def declared(names: Iterable[str], secrets: Secrets) -> dict[str, str]:
    """The values of those that there are.

    Raises:
        RunError: one is too short to be kept out of what is written.
    """
    found: dict[str, str] = {}
    for name in names:
        value = secrets.lookup(name)
        if value is None:
            continue
        if len(value) < MIN_LENGTH:
            raise RunError(
                f"The secret {name!r} has fewer than {MIN_LENGTH} characters.",
                hint="So short a value cannot be kept out of logs; use a longer one.",
                retryable=False,
            )
        found[name] = value
    return found
