"""Collects what a child process says: its reply, whole or nothing, and the tail of its prints."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agentflow_dagster.sandbox._child import decode

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonValue, Part

_REPLY, _PRINTS = 1, 2


class Conversation(asyncio.SubprocessProtocol):
    """One child's streams, kept within bounds whatever it writes.

    Args:
        reply_bytes: More than this is not read as a reply.
        printed_bytes: How much of the end of its prints is kept.
    """

    def __init__(self, *, reply_bytes: int, printed_bytes: int) -> None:
        self.exited = asyncio.Event()
        self.closed = asyncio.Event()
        self._reply = bytearray()
        self._reply_bytes = reply_bytes
        self._prints = bytearray()
        self._printed_bytes = printed_bytes
        self._cut = 0

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keeps what may be kept and drops the rest, so that the child never blocks on a print."""
        if fd == _PRINTS:
            self._prints += data
            if (excess := len(self._prints) - self._printed_bytes) > 0:
                del self._prints[:excess]
                self._cut += excess
        elif fd == _REPLY and len(self._reply) <= self._reply_bytes:
            self._reply += data

    def process_exited(self) -> None:
        """The process is gone, though one that it started may still hold its streams."""
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The process is gone and its streams have been read to their ends."""
        self.closed.set()

    @property
    def reply(self) -> tuple[JsonValue, dict[str, Part]] | None:
        """What it answered, where that is whole."""
        return decode(self._reply)

    @property
    def printed(self) -> str:
        """The end of what it printed; a first line says how much is missing before it."""
        text = self._prints.decode(errors="replace")
        return f"[{self._cut:,} bytes cut]\n{text}" if self._cut else text
