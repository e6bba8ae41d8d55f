"""Where the values of declared secrets come from."""

from __future__ import annotations

from typing import Protocol


class Secrets(Protocol):
    """Looks secrets up by name. A value never enters a document, an event, a log or an error."""

    def lookup(self, name: str) -> str | None:
        """The secret's value, or None where there is none of that name."""
        ...
