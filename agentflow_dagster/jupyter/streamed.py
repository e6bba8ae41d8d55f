"""What a model says, shown in the cell while it says it."""

from __future__ import annotations

import threading
from typing import Any, cast

from IPython import display as ipython

_cell = cast("Any", ipython)  # its types are not known
_SHOWN = 4_000
"""Characters of the end of a reply that are shown."""


class Streamed:
    """Hears replies in the engine's thread, and shows them in the kernel's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: dict[str, str] = {}
        self._changed = False
        self._handle: Any = None

    def hear(self, path: str) -> _Ear:
        """Who hears what the model of one step says."""
        return _Ear(self, path)

    def say(self, path: str, text: str | None) -> None:
        """More of a reply; None: it begins anew."""
        with self._lock:
            self._texts[path] = "" if text is None else self._texts.get(path, "") + text
            self._changed = True

    def show(self) -> None:
        """Shows what is new; in the kernel's own thread, a few times a second."""
        with self._lock:
            if not self._changed:
                return
            self._changed = False
            many = len(self._texts) > 1
            said = [f"{path}: {text}" if many else text for path, text in self._texts.items()]
        shown = {"text/plain": "\n\n".join(text[-_SHOWN:] for text in said)}
        if self._handle is None:
            self._handle = _cell.display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)

    def end(self) -> None:
        """Takes it away: what came of it is shown next."""
        if self._handle is not None:
            _cell.clear_output(wait=True)


class _Ear:
    """Hears one step's model."""

    def __init__(self, streamed: Streamed, path: str) -> None:
        self._streamed = streamed
        self._path = path

    def text(self, piece: str) -> None:
        self._streamed.say(self._path, piece)

    def again(self) -> None:
        self._streamed.say(self._path, None)
