"""What is heard of a model while it speaks, redacted: what is to be hidden may come in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentflow_dagster.engine.redaction import Redactor
    from agentflow_dagster.ports.model import Listener

_HELD = 80
"""Characters of the end that are held back: with more to come they may be part of something."""
_STEP = 16


@dataclass(slots=True)
class RedactedListener:
    """Passes a reply on, `_HELD` characters late.

    Args:
        listener: Who hears it.
        redactor: Hides secrets, and what the project's rules name.
    """

    listener: Listener
    redactor: Redactor
    _held: str = ""

    def text(self, piece: str) -> None:
        """More of the reply."""
        self._held += piece
        cut, step = len(self._held) - _HELD, _STEP
        while cut > 0:
            now, later = self._held[:cut], self._held[cut:]
            shown = self.redactor.shown(now)
            # Otherwise something stands across the cut.
            if shown + self.redactor.shown(later) == self.redactor.shown(self._held):
                self.listener.text(shown)
                self._held = later
                return
            cut, step = cut - step, step * 2  # Few tries, however long that is.

    def again(self) -> None:
        """The reply begins anew."""
        self._held = ""
        self.listener.again()

    def end(self) -> None:
        """The reply is over."""
        if self._held:
            self.listener.text(self.redactor.shown(self._held))
            self._held = ""


def redacted_listener(listener: Listener | None, redactor: Redactor) -> Listener | None:
    """Who hears, redacted where there is anything to hide."""
    return RedactedListener(listener, redactor) if listener and redactor.hides else listener
