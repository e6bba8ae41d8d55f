"""The process that has kernels ready and hands each out once: one thread, no event loop, so that
it can fork.

    borrower                       broker                        kernel
    order, a line          ->      picks one that is ready   ->  order
    {connection, pid}      <-      forks another
    interrupt              ->      SIGINT to its group
    end of line            ->      ends it
    {ended, said}          <-      it has ended by itself
"""

from __future__ import annotations

import gc
import importlib
import os
import selectors
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.notebook.kernels.forking import fork
from agentflow_dagster.notebook.kernels.order import INTERRUPT, LONGEST, POOLED, Order, to_line

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path

    from agentflow_dagster.notebook.kernels.forking import Forked

NEEDED = ("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.heartbeat", "IPython")
_TO_END = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_MOST_FAILURES = 3
"""Kernels in a row that end before they are ready, until those who wait are told so."""
_END_SECONDS = 5.0


@dataclass(slots=True)
class _Borrower:
    """Somebody who has asked.

    Args:
        line: The line to it.
        asked: What has been read of its line.
        order: What it wants, once that is read.
        kernel: What it has.
    """

    line: socket.socket
    asked: bytes = b""
    order: Order | None = None
    kernel: Forked | None = None


@dataclass(slots=True)
class _Kernels:
    """Kernels by process id, each in one of these states."""

    starting: dict[int, Forked] = field(default_factory=dict[int, "Forked"])
    ready: dict[int, Forked] = field(default_factory=dict[int, "Forked"])
    lent: dict[int, _Borrower] = field(default_factory=dict[int, _Borrower])
    ending: set[int] = field(default_factory=set[int])


class Broker:
    """Hands out kernels.

    Args:
        base: A folder of its own, for theirs; a short path.
        ready: How many stand by.
        imports: Modules that they find imported, where these are there.
        after: Seconds without a request before it gets ready.
    """

    def __init__(
        self, base: Path, *, ready: int = 2, imports: Sequence[str] = (), after: float = 0.0
    ) -> None:
        self._base = base
        self._wanted = ready
        self._imports = tuple(imports)
        self._prepare_at = time.monotonic() + after
        self._prepared = False
        self._only = False
        self._number = 0
        self._failures = 0
        self._ended = False
        self._kernels = _Kernels()
        self._borrowers: dict[int, _Borrower] = {}
        self._waiting: list[_Borrower] = []
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._woken, self._wakes = os.pipe()

    def serve(self, listener: socket.socket) -> None:
        """Serves whoever connects, until the process is told to end."""
        self._listener = listener
        self._selector.register(listener, selectors.EVENT_READ)
        self._run()

    def serve_one(self, line: socket.socket) -> None:
        """Serves one borrower, and returns when that has gone."""
        self._only = True
        self._wanted = 0
        self._prepare_at = 0.0
        self._welcome(line)
        self._run()

    def _run(self) -> None:
        self._take_signals()
        while not self._ended:
            for key, _ in self._selector.select(self._patience()):
                self._see_to(key.fd)
            self._reap()
            if not self._prepared and (self._waiting or time.monotonic() >= self._prepare_at):
                self._prepare()
            self._hand_out()
            self._refill()
        self._finish()

    def _take_signals(self) -> None:
        for end in (self._woken, self._wakes):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, *_TO_END):
            signal.signal(number, _go_on)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def _patience(self) -> float | None:
        return None if self._prepared else max(0.0, self._prepare_at - time.monotonic())

    def _see_to(self, number: int) -> None:
        if self._listener is not None and number == self._listener.fileno():
            self._welcome(self._listener.accept()[0])
        elif number == self._woken:
            told = os.read(self._woken, 4096)
            self._ended = self._ended or any(number in told for number in _TO_END)
        elif (borrower := self._borrowers.get(number)) is not None:
            self._hear(borrower)
        else:
            self._word_of(number)

    def _welcome(self, line: socket.socket) -> None:
        line.settimeout(0)
        self._borrowers[line.fileno()] = _Borrower(line)
        self._selector.register(line, selectors.EVENT_READ)

    def _hear(self, borrower: _Borrower) -> None:
        try:
            told = borrower.line.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            told = b""
        if not told:
            self._leave(borrower)
            return
        if borrower.order is not None:
            if borrower.kernel is not None and INTERRUPT in told:
                borrower.kernel.interrupt()
            return
        borrower.asked += told
        if not borrower.asked.endswith(b"\n"):
            if len(borrower.asked) > LONGEST:
                self._leave(borrower)
            return
        try:
            borrower.order = Order.from_line(borrower.asked)
        except ValueError as problem:
            self._refuse(borrower, f"The order is none: {problem}")
            return
        self._waiting.append(borrower)

    def _leave(self, borrower: _Borrower) -> None:
        """A borrower is gone, or is to go: so is its kernel."""
        self._selector.unregister(borrower.line)
        del self._borrowers[borrower.line.fileno()]
        borrower.line.close()
        if borrower in self._waiting:
            self._waiting.remove(borrower)
        if borrower.kernel is not None:
            self._kernels.lent.pop(borrower.kernel.pid, None)
            self._end(borrower.kernel)
        self._ended = self._ended or self._only

    def _refuse(self, borrower: _Borrower, problem: str) -> None:
        _say(borrower.line, {"problem": problem})
        self._leave(borrower)

    def _end(self, kernel: Forked) -> None:
        kernel.end()
        self._kernels.ending.add(kernel.pid)

    def _prepare(self) -> None:
        self._prepared = True
        for name in NEEDED:
            importlib.import_module(name)
        for name in self._imports:
            with suppress(ImportError):
                importlib.import_module(name)
        gc.collect()
        gc.freeze()  # A collection in a kernel would copy every page that they share.

    def _hand_out(self) -> None:
        for borrower in [b for b in self._waiting if b.order and b.order.kernel != POOLED]:
            if problem := _unknown(borrower.order):
                self._refuse(borrower, problem)
                continue
            self._waiting.remove(borrower)
            self._lend(borrower, self._fork(borrower.order))
        while self._waiting and self._kernels.ready:
            kernel = self._kernels.ready.pop(next(iter(self._kernels.ready)))
            self._lend(self._waiting.pop(0), kernel)

    def _lend(self, borrower: _Borrower, kernel: Forked) -> None:
        """Both ends are told; who stands by has nobody but this process to hear of its order."""
        assert borrower.order is not None
        borrower.kernel = kernel
        self._kernels.lent[kernel.pid] = borrower
        with suppress(OSError):  # It has just died, which is told in a moment.
            if borrower.order.kernel == POOLED:
                kernel.line.sendall(borrower.order.to_line())
        _say(borrower.line, {"connection": dict(kernel.connection), "pid": kernel.pid})

    def _refill(self) -> None:
        if not self._prepared:
            return
        states = self._kernels
        missing = self._wanted + len(self._waiting) - len(states.ready) - len(states.starting)
        for _ in range(min(missing, os.cpu_count() or 1) if self._failures < _MOST_FAILURES else 0):
            kernel = self._fork(None)
            states.starting[kernel.pid] = kernel
            self._selector.register(kernel.line, selectors.EVENT_READ)

    def _fork(self, order: Order | None) -> Forked:
        self._number += 1
        return fork(self._base, self._number, order)

    def _word_of(self, number: int) -> None:
        """A kernel is ready; one that has died instead is reaped."""
        for kernel in self._kernels.starting.values():
            if kernel.line.fileno() == number:
                self._selector.unregister(kernel.line)
                with suppress(OSError):
                    if kernel.line.recv(1):
                        del self._kernels.starting[kernel.pid]
                        self._kernels.ready[kernel.pid] = kernel
                        self._failures = 0
                return

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._gone(pid, os.waitstatus_to_exitcode(status))

    def _gone(self, pid: int, status: int) -> None:
        states = self._kernels
        if (borrower := states.lent.pop(pid, None)) is not None and borrower.kernel is not None:
            said = borrower.kernel.last_words()
            borrower.kernel.end()
            borrower.kernel = None
            _say(borrower.line, {"ended": status, "said": said})
        elif (kernel := states.starting.pop(pid, None)) is not None:
            with suppress(KeyError):
                self._selector.unregister(kernel.line)
            kernel.end()
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                self._give_up(status)
        elif (kernel := states.ready.pop(pid, None)) is not None:
            kernel.end()
        states.ending.discard(pid)

    def _give_up(self, status: int) -> None:
        for borrower in list(self._waiting):
            self._refuse(borrower, f"Kernels end before they are ready (exit status {status}).")
        self._failures = 0

    def _finish(self) -> None:
        """Ends every kernel and waits for them, so that their folders are gone too."""
        states = self._kernels
        lent = [b.kernel for b in states.lent.values() if b.kernel is not None]
        for kernel in [*states.starting.values(), *states.ready.values(), *lent]:
            self._end(kernel)
        states.starting, states.ready, states.lent = {}, {}, {}
        deadline = time.monotonic() + _END_SECONDS
        while states.ending and time.monotonic() < deadline:
            self._reap()
            select = selectors.SelectSelector()
            select.register(self._woken, selectors.EVENT_READ)
            select.select(0.05)
            with suppress(BlockingIOError):
                os.read(self._woken, 4096)


def _unknown(order: Order | None) -> str:
    """Why there is no such kernel; "" where there is."""
    from jupyter_client.kernelspec import KernelSpecManager

    known = cast("Any", KernelSpecManager()).find_kernel_specs()
    if order is None or order.kernel in known:
        return ""
    return f"There is none of that name; there are {', '.join(sorted(known))}."


def _say(line: socket.socket, told: dict[str, object]) -> None:
    with suppress(OSError):  # Who has gone meanwhile is seen to be.
        line.sendall(to_line(told))  # type: ignore[arg-type]


def _go_on(number: int, frame: object) -> None:
    """Takes the place of the default; the pipe says which signal came."""
