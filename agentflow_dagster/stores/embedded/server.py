"""Holding a server: it is started for its first holder and stopped after its last."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from agentflow_dagster.errors import StoreError
from agentflow_dagster.stores.embedded import cluster, guardian, locks
from agentflow_dagster.stores.embedded.placement import SHARED, place

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from agentflow_dagster.stores.embedded.placement import Placement

START_SECONDS = 120.0
"""Replaying the log after a crash takes its time."""
STOP_SECONDS = 30.0
GUARDIAN_SECONDS = 2.0


class EmbeddedPostgres:
    """One hold on the server of a directory.

    Three locks say all, and the kernel keeps them true: `holders.lock` is shared by every process
    that uses the server; `starting.lock` lets one at a time look and start; `running.lock` is
    kept by the server's own processes, so a server that died, or a process id that means
    something else by now, is never taken for a running one.

    A process that ends without `stop`, by `kill -9` too, lets go all the same. A forked child
    shares its parent's hold.

    Args:
        directory: A folder of its own (`<home>/postgres`), made if missing.
        max_connections: Most connections at once, for a server that this hold starts. Dagster's
            PostgreSQL storage opens one for each event that is being written.
        shared: Where the data goes if we are root and the directory cannot be reached by others.
    """

    def __init__(
        self, directory: Path, *, max_connections: int = 200, shared: Path = SHARED
    ) -> None:
        self._directory = directory.expanduser().resolve()
        self._max_connections = max_connections
        self._shared = shared
        self._hold: int | None = None
        self._holder = 0
        self._url = ""

    @property
    def url(self) -> str:
        """The SQLAlchemy URL (psycopg2, over a Unix socket), while the hold lasts."""
        if self._hold is None:
            raise StoreError(f"The database in {str(self._directory)!r} is not held: `start` it.")
        return self._url

    def start(self) -> None:
        """Takes hold: uses the server that runs for the directory, or starts it.

        Raises:
            StoreError: it could not be made or started; the message has the server's last words.
        """
        if self._hold is not None:
            return
        try:
            hold = self._open()
        except OSError as error:
            raise self._unusable(error) from error
        try:
            locks.share(hold)  # waits while the last holder, or the guardian, stops the server
            with locks.exclusively(self._directory / "starting.lock"):
                placement = place(self._directory, shared=self._shared)
                self._url = cluster.url(self._ensure_running(placement))
        except BaseException as error:
            os.close(hold)
            if isinstance(error, OSError):
                raise self._unusable(error) from error
            raise
        self._hold, self._holder = hold, os.getpid()

    def stop(self) -> None:
        """Lets go; where nobody else holds the server, returns once it has stopped."""
        if self._hold is None:
            return
        hold, self._hold = self._hold, None
        try:
            # In a forked child the lock is the parent's, which merely closing does not undo.
            if os.getpid() == self._holder:
                self._stop_if_last(hold)
        finally:
            os.close(hold)

    def remove(self) -> None:
        """Removes the directory and the data, also where we have placed that elsewhere.

        Raises:
            StoreError: somebody holds the server.
        """
        if not self._directory.exists():
            return
        hold = self._open()
        try:
            # The guardian has the lock for a moment after the last holder has let go.
            if not locks.exclusive_within(hold, GUARDIAN_SECONDS):
                raise StoreError(
                    f"The database in {str(self._directory)!r} is in use.", hint="`stop` it first."
                )
            data = (self._directory / "data").resolve()
            cluster.remove(data)
            if data.parent.parent == self._shared.resolve():  # not where a user's own link leads
                shutil.rmtree(data.parent, ignore_errors=True)
            shutil.rmtree(self._directory, ignore_errors=True)
        finally:
            os.close(hold)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _open(self) -> int:
        try:
            self._directory.mkdir(parents=True)
        except FileExistsError:
            pass
        else:
            self._directory.chmod(0o711)  # as root, the server's user must pass through
        return locks.open_lock(self._directory / "holders.lock")

    def _ensure_running(self, placement: Placement) -> Path:
        """Returns the folder of the socket once the server accepts connections."""
        cluster.ensure_cluster(placement)
        folder = cluster.socket_folder(placement)
        deadline = time.monotonic() + START_SECONDS
        launched = False
        while not cluster.accepts_connections(placement, folder):
            running = locks.open_lock(self._directory / "running.lock")
            try:
                if locks.try_exclusive(running):
                    if launched:
                        raise self._failure("ended as it started", placement)
                    self._launch(placement, folder, running)
                    launched = True
            finally:
                os.close(running)
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready in {START_SECONDS:.0f} s", placement)
            time.sleep(0.01)
        return folder

    def _launch(self, placement: Placement, folder: Path, running: int) -> None:
        """Starts the server, which inherits the lock that we have by now."""
        # Each of the server's processes keeps that lock, so none of them lives.
        cluster.forget_dead_server(placement.data, folder)
        account = placement.account
        subprocess.run(
            [
                *(sys.executable, "-I", "-S", guardian.__file__),
                *(str(self._directory / "holders.lock"), str(running)),
                *((str(account.uid), str(account.gid)) if account else ("-1", "-1")),
                str(self._directory / "startup.log"),
                *cluster.command(placement, folder, max_connections=self._max_connections),
            ],
            pass_fds=(running,),
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
            check=True,
        )

    def _unusable(self, error: OSError) -> StoreError:
        return StoreError(
            f"The database folder {str(self._directory)!r} cannot be used: {error}.",
            hint="Choose a folder that this user may write to, or set AGENTFLOW_DATABASE_URL.",
        )

    def _failure(self, what: str, placement: Placement) -> StoreError:
        words = cluster.last_words(self._directory / "startup.log", placement.data)
        return StoreError(
            f"The embedded PostgreSQL {what}: {words}",
            hint=f"Its logs are in {str(placement.data / 'log')!r}.",
        )

    def _stop_if_last(self, hold: int) -> None:
        if not locks.try_exclusive(hold):
            locks.share(hold)  # others hold it, or the guardian is stopping it: then this waits
            return
        running = locks.open_lock(self._directory / "running.lock")
        try:
            # "Fast" shutdown ends the sessions; "immediate" leaves the log to be replayed.
            for how in (signal.SIGINT, signal.SIGQUIT):
                if locks.try_exclusive(running):
                    return
                cluster.tell(self._directory / "data", how)
                if locks.exclusive_within(running, STOP_SECONDS):
                    return
            raise StoreError(
                f"The embedded PostgreSQL in {str(self._directory)!r} does not stop.",
                hint="The number of its process is the first line of `data/postmaster.pid` there.",
            )
        finally:
            os.close(running)
