"""Replies that are kept, for the same call made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject


class Memo(Protocol):
    """Keeps replies by key. A key says all that an answer depends on."""

    async def get(self, key: str) -> JsonObject | None:
        """The reply of a key; None where there is none, or it cannot be read now."""
        ...

    async def put(self, key: str, agent: str, reply: JsonObject) -> None:
        """Keeps a reply; the first one of a key stays. Failing to keep it is no error.

        Args:
            key: What it answers.
            agent: Whose it is.
            reply: JSON.
        """
        ...
