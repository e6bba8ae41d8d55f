"""Unix sockets that their owner alone can reach."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_WAITING = 128


@contextmanager
def owner_alone() -> Generator[None]:
    """What is made in the block (files, sockets) is its owner's alone, from its first moment."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def listening(path: Path) -> socket.socket:
    """A socket that listens there; one that a killed process left is replaced.

    Raises:
        OSError: it cannot be made.
    """
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    with owner_alone():
        listener.bind(str(path))
    listener.listen(_WAITING)
    return listener
