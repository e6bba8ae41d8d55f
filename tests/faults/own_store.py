"""A PostgreSQL server of a test's own, which it may kill and start again."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from typing import TYPE_CHECKING

from agentflow_dagster.stores.embedded import EmbeddedPostgres
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path


class OwnStore:
    """Holds a server.

    Args:
        directory: Of the server.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server = EmbeddedPostgres(directory)
        self._server.start()

    @property
    def url(self) -> str:
        return self._server.url

    def kill(self) -> None:
        """Ends the server as a power cut would; returns once no process of it lives."""
        pid = int((self._directory / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        with (self._directory / "running.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)

    def start(self) -> None:
        """Starts it again after it was killed or stopped; connections come to the same place."""
        before, self._server = self._server, EmbeddedPostgres(self._directory)
        self._server.start()
        before.stop()

    def restart(self) -> None:
        """Ends it as an administrator would, and starts it again."""
        self._server.stop()
        self._server = EmbeddedPostgres(self._directory)
        self._server.start()

    def down(self, seconds: float) -> None:
        """Kills it, and starts it again so much later."""
        self.kill()
        until = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > until)
        self.start()

    def close(self) -> None:
        self._server.stop()
