"""Borrows a kernel: of the pool that is up, or else of a process started for this one alone."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from agentflow_dagster.engine.apart import authors_environment
from agentflow_dagster.errors import RunError
from agentflow_dagster.notebook.kernels.order import INTERRUPT, LONGEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.notebook.kernels.order import Order

SOCKET_VARIABLE = "AGENTFLOW_KERNELS"
"""Where the pool of a running project listens."""
PATIENCE_SECONDS = 60.0
_PROGRAM = Path(__file__).with_name("__main__.py")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a kernel ended that nobody had asked to.

    Args:
        status: Its exit status; of one that a signal ended, its number below zero. None where the
            pool is gone, and the kernel with it.
        said: Where its code was, as the interpreter wrote it at a crash.
    """

    status: int | None
    said: str = ""


class Lease:
    """A kernel of which this is the only user; any thread may call it.

    Args:
        line: To who lends it; its end is the lease's.
        connection: Where the kernel listens, as in a connection file.
        pid: The kernel's process.
        lender: The process that lends this one alone.
        told: What has come over the line since.
    """

    def __init__(
        self,
        line: socket.socket,
        connection: Mapping[str, str | int],
        pid: int,
        *,
        lender: subprocess.Popen[bytes] | None = None,
        told: bytes = b"",
    ) -> None:
        self.connection = connection
        self.pid = pid
        self._line = line
        self._lender = lender
        self._told = told
        self._ended: Ended | None = None
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Is readable once the kernel has ended."""
        return self._line.fileno()

    def interrupt(self) -> None:
        """Interrupts what it does, as Jupyter's button does."""
        with suppress(OSError):
            self._line.sendall(INTERRUPT)

    def ended(self) -> Ended | None:
        """How it has ended; None while it lives."""
        with self._lock:
            while self._ended is None and self._line.fileno() >= 0:
                if not self._told.endswith(b"\n"):
                    if not select.select([self._line], [], [], 0)[0]:
                        return None
                    self._read()
                if self._told.endswith(b"\n"):
                    told = json.loads(self._told)
                    self._ended = Ended(int(told["ended"]), str(told["said"]))
            return self._ended or Ended(None)

    def end(self) -> None:
        """Ends it at once, with whatever it has started; who waits for its end sees it."""
        with suppress(OSError):  # It has ended, or is closed.
            self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends it, and gives back what the lease holds. Nobody may wait for its end any more."""
        self.end()
        with self._lock:
            self._line.close()
            if self._lender is not None:
                self._lender.wait()

    def _read(self) -> None:
        try:
            part = self._line.recv(LONGEST)
        except OSError:
            part = b""
        self._told += part
        if not part:
            self._ended = Ended(None)


def borrow(order: Order, *, pool: str | None = None) -> Lease:
    """Borrows a kernel; returns once it can be spoken to.

    Args:
        order: Where and within what it works.
        pool: Where a pool listens; None is what `AGENTFLOW_KERNELS` says. Where nobody listens
            there a kernel is started for this lease, which takes a second.

    Raises:
        RunError: there is none to be had.
    """
    path = os.environ.get(SOCKET_VARIABLE, "") if pool is None else pool
    line = _pool(path) if path else None
    lender = None
    if line is None:
        line, lender = _lender()
    try:
        line.settimeout(PATIENCE_SECONDS)
        line.sendall(order.to_line())
        told, more = _answer(line)
    except OSError:
        told, more = {}, b""
    if "connection" not in told:
        line.close()
        if lender is not None:
            lender.wait()
        problem = told.get("problem") or "Who has them ready does not answer."
        raise RunError(f"No kernel {order.kernel!r} can be had. {problem}".strip())
    line.settimeout(None)
    connection = cast("Mapping[str, str | int]", told["connection"])
    return Lease(line, connection, cast("int", told["pid"]), lender=lender, told=more)


def _pool(path: str) -> socket.socket | None:
    line = socket.socket(socket.AF_UNIX)
    try:
        line.connect(path)
    except OSError:
        line.close()
        return None
    return line


def _lender() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """A process that lends one kernel, and ends with the lease or with this process."""
    near, far = socket.socketpair()
    with far:
        number = str(far.fileno())
        lender = subprocess.Popen(
            [sys.executable, "-s", "-X", "utf8", str(_PROGRAM), "--line", number],
            stdin=subprocess.DEVNULL,
            pass_fds=[far.fileno()],
            start_new_session=True,
            env=authors_environment(os.environ, Path(tempfile.gettempdir())),
        )
    return near, lender


def _answer(line: socket.socket) -> tuple[dict[str, object], bytes]:
    """The first line, and what came after it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    told = b""
    while b"\n" not in told and time.monotonic() < deadline:
        part = line.recv(LONGEST)
        if not part:
            return {}, b""
        told += part
    first, _, more = told.partition(b"\n")
    return json.loads(first), more
