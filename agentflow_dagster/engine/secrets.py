"""Secrets from environment variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class EnvironmentSecrets:
    """Looks a secret up among variables of the same name."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def lookup(self, name: str) -> str | None:
        """The variable's value; None where it is unset or empty."""
        return self._environment.get(name) or None
