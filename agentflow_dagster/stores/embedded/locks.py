"""The kernel's file locks (`flock`): let go when the last process that has the file open ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


def open_lock(path: Path) -> int:
    """Opens (and makes) a lock file, for this user only; returns its file descriptor."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def exclusively(path: Path) -> Generator[None]:
    """Waits for a lock and keeps it for the block."""
    descriptor = open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def try_exclusive(descriptor: int) -> bool:
    """Takes a lock if nobody else has it; a shared lock held before is lost when it is refused."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def share(descriptor: int) -> None:
    """Waits while somebody has the lock alone, then shares it."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def exclusive_within(descriptor: int, seconds: float) -> bool:
    """Waits for a lock for at most `seconds`; the kernel's own wait has no limit, so it polls."""
    deadline = time.monotonic() + seconds
    while not try_exclusive(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
