"""Replies of models that are kept, to be given again to the same question."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import sqlalchemy as sa

from agentflow_dagster.errors import StoreError
from agentflow_dagster.stores.encoding import dump, storable
from agentflow_dagster.stores.engine import single
from agentflow_dagster.stores.tables import NAME

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

MOST_BYTES = 1024 * 1024
"""Of one reply; a larger one is not kept."""
_MEMORY_BYTES = 32 * 1024 * 1024
_GET = sa.text("SELECT reply::text FROM agentflow.model_memo WHERE key = :key")
_PUT = sa.text("""
INSERT INTO agentflow.model_memo (key, agent, reply)
VALUES (:key, :agent, CAST(:reply AS json)) ON CONFLICT (key) DO NOTHING""")
_log = logging.getLogger(__name__)


class PostgresMemo:
    """Keeps replies by key, those that were used last in memory, too. Threads and event loops may
    share it.

    Args:
        engine: The database.
        memory_bytes: How much of memory the texts of replies may take.
    """

    def __init__(self, engine: sa.Engine, *, memory_bytes: int = _MEMORY_BYTES) -> None:
        self._engine = engine
        self._most = memory_bytes
        self._lock = threading.Lock()
        self._texts: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    async def get(self, key: str) -> JsonObject | None:
        """The reply of a key; None where there is none, or it cannot be read now."""
        text = self._at_hand(key)
        if text is None:
            text = await asyncio.to_thread(self._read, key)
        return None if text is None else json.loads(text)

    async def put(self, key: str, agent: str, reply: JsonObject) -> None:
        """Keeps a reply; the first one of a key stays. One that is too large is not kept.

        Args:
            key: What it answers; at most 255 characters.
            agent: Whose it is.
            reply: JSON.
        """
        text = dump(reply)
        if len(text.encode()) <= MOST_BYTES:
            await asyncio.to_thread(self._write, key, agent, text)

    def _read(self, key: str) -> bytes | None:
        try:
            with single(self._engine) as connection:
                stored = connection.scalar(_GET, {"key": key})
        except StoreError as problem:
            _log.warning("A reply that may have been kept is asked for anew: %s", problem)
            return None
        if stored is None:
            return None
        text = stored.encode()
        self._remember(key, text)
        return text

    def _write(self, key: str, agent: str, text: str) -> None:
        given = {"key": key, "agent": storable(agent)[:NAME], "reply": text}
        try:
            with single(self._engine) as connection:
                added = connection.execute(_PUT, given).rowcount
        except StoreError as problem:
            _log.warning("A reply is not kept: %s", problem)
            return
        if added:
            self._remember(key, text.encode())

    def _at_hand(self, key: str) -> bytes | None:
        with self._lock:
            text = self._texts.get(key)
            if text is not None:
                self._texts.move_to_end(key)
            return text

    def _remember(self, key: str, text: bytes) -> None:
        with self._lock:
            self._bytes += len(text) - len(self._texts.pop(key, b""))
            self._texts[key] = text
            while self._bytes > self._most:
                _, oldest = self._texts.popitem(last=False)
                self._bytes -= len(oldest)
