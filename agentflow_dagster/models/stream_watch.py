"""Finds out what LiteLLM leaves out of a stream: pieces that are no JSON, which it passes over, so
that the rest looks like a whole answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_ASIDE = (":", "event:", "id:", "retry:")
"""Lines of an event stream that hold no data."""


class StreamWatch:
    """Watches one stream.

    Args:
        stream: LiteLLM's, before its first piece.
    """

    def __init__(self, stream: object) -> None:
        self._stream: Any = stream
        self._lines: Any = None
        self.look()

    def look(self) -> None:
        """To be called at every piece: some streams are opened by their first, and let go of what
        reads them at their last."""
        if self._lines is None and (lines := self._stream.completion_stream) is not None:
            self._lines = lines
            if handle := getattr(lines, "_handle_string_chunk", None):
                lines._handle_string_chunk = _judged(handle)  # noqa: SLF001 - there is no other way

    def is_whole(self) -> bool:
        """Whether the stream, which has ended, was read to its end, and nothing was left out.

        LiteLLM says "stop" of a stream that ended for whatever reason; what it has received is
        here.
        """
        came = self._stream.received_finish_reason or self._stream.intermittent_finish_reason
        # Gemini's reader puts what it cannot read aside, with all that follows.
        left = getattr(self._lines, "accumulated_json", "")
        return came is not None and not (isinstance(left, str) and left.strip())


def _judged(handle: Callable[..., object]) -> Callable[..., object]:
    """Has a reader's function fail at a line that is no JSON, which it would leave out."""

    def judged(str_line: str) -> object:
        said = str_line.strip()
        if not said.startswith(_ASIDE):
            said = said.removeprefix("data:").strip()
            if said and said != "[DONE]":
                json.loads(said)  # Its ValueError ends the stream.
        return handle(str_line=str_line)

    return judged
