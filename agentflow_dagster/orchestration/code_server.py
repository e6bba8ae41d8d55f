"""Dagster's code server, each of whose reloads is a fork of the warm parent.

`dagster code-server start` is a proxy that starts a new process for every reload, which imports
Dagster for a second; a fork does not. The project's own modules are imported anew in both. Without
a warm parent the process is started as Dagster has it. Run as `python -m …code_server start`, with
the options of `dagster code-server`.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, cast

from dagster._cli.code_server import code_server_cli
from dagster._grpc import proxy_server, server
from dagster._grpc.proxy_server import DagsterProxyApiServicer
from dagster_shared.ipc import open_ipc_subprocess

from agentflow_dagster.orchestration.asked_lines import NobodyListensError
from agentflow_dagster.orchestration.names import LOCATION, LOCATION_VARIABLE
from agentflow_dagster.orchestration.warm.asking import (
    Serve,
    ask,
    warm_parent,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOOK_SECONDS = 0.01
_LISTENING_SECONDS = 60.0
_WATCH_SECONDS = 1.0
_COMMAND = ["api", "grpc"]
_open_new = open_ipc_subprocess


class ForkedServer:
    """A code server that the warm parent has forked, with what Dagster asks of one that it started.

    Args:
        pid: The process.
    """

    def __init__(self, pid: int) -> None:
        import psutil

        self.pid = pid
        self.returncode: int | None = None
        """0 once it has ended: only its parent learns with what."""
        self._process: psutil.Process | None = None
        try:
            self._process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            self.returncode = 0

    def poll(self) -> int | None:
        """None as long as it runs."""
        if self._process is not None and not self._process.is_running():
            self.returncode = 0
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end, so many seconds at most.

        Raises:
            psutil.TimeoutExpired: it has not ended by then.
        """
        if self._process is not None:
            self._process.wait(timeout)
        self.returncode = 0
        return 0

    def terminate(self) -> None:
        """Asks it to end."""
        if self._process is not None and self.poll() is None:
            self._process.terminate()


def _open_server(parts: Sequence[str], **options: Any) -> Any:
    """Takes the place of what starts Dagster's servers, and gives what Dagster asks of one."""
    path = warm_parent()
    command = list(parts)
    where = next((i for i in range(len(command)) if command[i : i + 2] == _COMMAND), None)
    if path is None or where is None:
        return _open_new(command, **options)
    arguments = command[where + len(_COMMAND) :]
    location = os.environ.get(LOCATION_VARIABLE) or LOCATION
    try:
        answer = ask(path, Serve(location=location, arguments=arguments), descriptors=(1, 2))
    except NobodyListensError:
        return _open_new(command, **options)
    assert answer.pid is not None
    forked = ForkedServer(answer.pid)
    _wait_to_listen(forked, arguments)
    return forked


def _wait_to_listen(forked: ForkedServer, arguments: Sequence[str]) -> None:
    """Returns once it listens, or has ended. gRPC tries again only a second after a first attempt
    that failed, by which most are long there."""
    if "--socket" not in arguments:
        return
    socket = arguments[arguments.index("--socket") + 1]
    deadline = time.monotonic() + _LISTENING_SECONDS
    while not os.path.exists(socket) and forked.poll() is None:  # noqa: PTH110 - Dagster's is text
        if time.monotonic() > deadline:
            return
        time.sleep(_LOOK_SECONDS)


class _Proxy(DagsterProxyApiServicer):
    """Loads again where the server that it hands on to has died, as all do with the warm parent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType]
        threading.Thread(target=self._watch, name="code-server-watch", daemon=True).start()

    def _watch(self) -> None:
        while not self._shutdown_once_executions_finish_event.wait(_WATCH_SECONDS):
            if self._has_died() and not self._shutdown_once_executions_finish_event.wait(
                _WATCH_SECONDS
            ):
                self._logger.warning("The code server has died; the agents are loaded again.")
                with self._reload_lock:
                    if self._has_died():
                        self._reload_location()

    def _has_died(self) -> bool:
        """Whether it was there once and is gone; one that could not load is not asked again."""
        registry = vars(self)["_grpc_server_registry"]
        entries = cast("dict[str, Any]", vars(registry)["_active_entries"])
        process = getattr(entries.get(self._origin.get_id()), "process", None)
        return process is not None and process.server_process.poll() is not None


def main() -> None:
    """Serves until it is told to stop."""
    server.open_ipc_subprocess = _open_server  # pyright: ignore[reportPrivateImportUsage]
    proxy_server.DagsterProxyApiServicer = _Proxy
    code_server_cli()


if __name__ == "__main__":
    main()
