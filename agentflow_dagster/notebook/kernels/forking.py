"""Forks a kernel's process with what ends it: its own group, a watch over it, a folder.

The kernel dies with the process that forked it (on Linux at once, by PR_SET_PDEATHSIG). Of what it
has started itself and of its folder the watch disposes: a process in the kernel's group that sees
the broker's end of a pipe close, by `kill -9` too.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

from agentflow_dagster.engine.apart import authors_environment
from agentflow_dagster.notebook.kernels.kernel import run_kernel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agentflow_dagster.notebook.kernels.order import Order

LONGEST_FOLDER = 90
"""Characters; the address of a Unix socket has 107."""


@dataclass(frozen=True, slots=True)
class Forked:
    """A kernel's process, as its parent holds it.

    Args:
        pid: Of the kernel; its group has the same id.
        folder: What is its own; the watch removes it.
        connection: Where it listens, as in a connection file.
        line: Carries its word that it is ready, and the order.
        life: Closed, it ends the kernel and whatever that started.
    """

    pid: int
    folder: Path
    connection: Mapping[str, str | int]
    line: socket.socket
    life: int

    def interrupt(self) -> None:
        """Interrupts it as Jupyter does, and what it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGINT)

    def end(self) -> None:
        """Has the watch end it."""
        self.line.close()
        os.close(self.life)

    def last_words(self) -> str:
        """Where its code was when it crashed, where that can be told."""
        try:
            text = (self.folder / "crash").read_text(errors="replace")
        except OSError:
            return ""
        return text[:4000]


def fork(base: Path, number: int, order: Order | None) -> Forked:
    """Forks a kernel.

    Args:
        base: Where its folder is made.
        number: Tells it from others under the same folder.
        order: Of a kernel other than Python's, which is started at once; None has it stand by.
    """
    folder = base / str(number)
    (folder / "work").mkdir(parents=True, mode=0o700)
    connection: dict[str, str | int] = {
        "transport": "ipc",
        "ip": str(folder / "k"),
        "key": secrets.token_hex(16),
        "signature_scheme": "hmac-sha256",
        "kernel_name": order.kernel if order else "python3",
        **{f"{channel}_port": n for n, channel in enumerate(_CHANNELS, 1)},
    }
    near, far = socket.socketpair()
    read, life = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        far.close()
        os.close(read)
        return Forked(pid, folder, connection, near, life)
    try:
        _die_with(parent)
        _become(folder, connection, far, life=read, order=order)
    finally:
        os._exit(1)


_CHANNELS = ("shell", "iopub", "stdin", "control", "hb")


def _become(
    folder: Path,
    connection: Mapping[str, str | int],
    line: socket.socket,
    *,
    life: int,
    order: Order | None,
) -> NoReturn:
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    _close_all_but(line.fileno(), life)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)
    _leave_a_watch(folder, life)
    os.close(life)
    own = folder / "jupyter"
    os.environ.update(authors_environment(os.environ, folder / "work"))
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        os.environ[name] = str(own)
    os.chdir(folder / "work")
    file = folder / "connection.json"
    file.write_text(json.dumps(connection))
    run_kernel(file, line, order)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def _close_all_but(*kept: int) -> None:
    """Closes the broker's own: a sibling that held the end of another's pipe kept it alive."""
    last = os.sysconf("SC_OPEN_MAX")
    edges = [2, *sorted(kept), min(last, 65_536)]
    for low, high in pairwise(edges):
        os.closerange(low + 1, high)


def _leave_a_watch(folder: Path, life: int) -> None:
    """Leaves a process in the group that clears up once the other end of `life` is closed.

    It is forked twice, so that the author's code has no child that it does not know of.
    """
    kernel = os.getpid()
    if (first := os.fork()) != 0:
        os.waitpid(first, 0)
        return
    if os.fork() != 0:
        os._exit(0)
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _close_all_but(life)
        os.read(life, 1)
        # Its id stays taken while the group has members, but it may be gone by its own PDEATHSIG.
        with suppress(ProcessLookupError):
            os.kill(kernel, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.killpg(0, signal.SIGKILL)
