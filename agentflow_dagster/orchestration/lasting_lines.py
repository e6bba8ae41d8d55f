"""Asks a process of the platform on connections that stay open, for who asks often and has one
event loop to do it in; `asked_lines` is for all others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agentflow_dagster.orchestration.asked_lines import NobodyListensError, not_answered

if TYPE_CHECKING:
    from typing import TypeAlias

    _Line: TypeAlias = "tuple[asyncio.StreamReader, asyncio.StreamWriter]"


class LastingLines:
    """Connections to a Unix socket, as many as there are questions at a time.

    Args:
        path: The socket.
        whom: Who listens there, as errors and its log call it.
        longest: Most bytes of an answer.
        patience_seconds: How long an answer is waited for.
    """

    def __init__(self, path: str, *, whom: str, longest: int, patience_seconds: float) -> None:
        self._path = path
        self._whom = whom
        self._longest = longest
        self._patience_seconds = patience_seconds
        self._idle: list[_Line] = []

    async def ask(self, line: bytes) -> bytes:
        """Sends a line and waits for the one that answers it.

        Raises:
            NobodyListensError: nobody listens there.
            RunError: who listens went away before it answered, or takes too long.
        """
        opened = self._take() or await self._open()
        reader, writer = opened
        try:
            async with asyncio.timeout(self._patience_seconds):
                writer.write(line + b"\n")
                await writer.drain()
                told, reason = await reader.readline(), ""
        except (OSError, ValueError) as problem:  # TimeoutError is an OSError
            told, reason = b"", f": {str(problem) or type(problem).__name__}"
        except BaseException:
            writer.close()  # what comes of it would answer the next question
            raise
        if not told.endswith(b"\n"):
            writer.close()
            raise not_answered(self._whom, reason)
        self._idle.append(opened)
        return told

    def close(self) -> None:
        """Closes those that are not in use."""
        while self._idle:
            self._idle.pop()[1].close()

    def _take(self) -> _Line | None:
        """One that is open and not in use."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()  # who listened is gone, and another may have come
        return None

    async def _open(self) -> _Line:
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await asyncio.open_unix_connection(self._path, limit=self._longest)
        except (FileNotFoundError, ConnectionRefusedError):
            raise NobodyListensError(f"No {self._whom} listens at {self._path!r}.") from None
        except OSError as problem:
            raise not_answered(self._whom, f": {str(problem) or type(problem).__name__}") from None
