"""The warm parent's loop: takes requests, forks, and sees how each child ends."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import selectors
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from agentflow_dagster.orchestration.warm import children
from agentflow_dagster.orchestration.warm.asking import (
    LOGGER,
    LONGEST,
    Answer,
    CarryOut,
    Interrupt,
    Request,
    Resume,
    Serve,
    read_request,
)
from agentflow_dagster.orchestration.warm.forking import HANDLED, fork
from agentflow_dagster.orchestration.warm.going_on import Ending
from agentflow_dagster.orchestration.warm.rehearsal import rehearse
from agentflow_dagster.orchestration.warm.run_processes import (
    Owed,
    RunProcess,
    asked_process,
    process_left,
)
from agentflow_dagster.orchestration.warm.spares import Spares

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dagster import DagsterInstance

    from agentflow_dagster.orchestration.warm.under_way import UnderWay

_MOST = 512
"""Children at a time."""
_HEARING_SECONDS = 2.0
"""How long one who asks may take to say what, while others wait."""
_IDLE_SECONDS = 1.0
_QUIET_SECONDS = 0.2
"""To fork a spare takes the time of a run's start, so not while runs are being started."""
_TO_END = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_log = logging.getLogger(LOGGER)


@dataclass(frozen=True, slots=True)
class _Server:
    location: str


@dataclass(frozen=True, slots=True)
class _Standby:
    """A child that may be told of a run."""


_Child: TypeAlias = "RunProcess | _Server | _Standby"


class WarmParent:
    """Forks runs and code servers for those who ask.

    Args:
        listener: Where they ask.
        instance: Where Dagster keeps what its children do.
        notes: Of the runs that are under way.
        lasting: Whether the next warm parent has the same notes, should this one be told to end.
        later: Modules to import once nobody asks for anything.
        kill_after: Seconds that an interrupted run is given to end.
    """

    def __init__(
        self,
        listener: socket.socket,
        instance: DagsterInstance,
        notes: UnderWay,
        *,
        lasting: bool = False,
        later: Sequence[str] = (),
        kill_after: float = 20.0,
    ) -> None:
        self._listener = listener
        self._instance = instance
        self._notes = notes
        self._lasting = lasting
        self._later = list(later)
        self._kill_after = kill_after
        self._children: dict[int, _Child] = {}
        self._owed: dict[str, Owed] = {}
        self._ending = False
        self._spares = Spares(self._fork_spare)
        self._selector = selectors.DefaultSelector()
        self._woken, self._wakes = os.pipe()

    def run(self) -> None:
        """Serves until it is told to end, and all its children have."""
        self._prepare()
        for run_id, left in self._notes.left().items():
            self._owe(*process_left(run_id, left))
        while not self._ending or self._children:
            ready = {key.fileobj for key, _ in self._selector.select(self._patience())}
            if self._woken in ready:
                self._take_signals()
            self._reap()
            self._kill_late()
            self._go_on()
            if self._listener in ready and not self._ending:
                self._hear()
            if not ready and not self._ending:
                self._while_idle()

    def _prepare(self) -> None:
        for end in (self._woken, self._wakes):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, _go_on)
        os.set_blocking(self._listener.fileno(), False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        rehearse()
        _settle()

    def _patience(self) -> float | None:
        """Seconds until there is something to do, whatever happens or not."""
        moments = [
            child.kill_at - time.monotonic()
            for child in self._children.values()
            if isinstance(child, RunProcess) and child.kill_at is not None
        ]
        moments += [owed.due - time.monotonic() for owed in self._owed.values()]
        if self._later:
            moments.append(_IDLE_SECONDS)
        elif (due := self._spares.due_in(_QUIET_SECONDS)) is not None and not self._ending:
            moments.append(due)
        return max(0.0, min(moments)) if moments else None

    def _while_idle(self) -> None:
        """What can wait until nobody asks for anything; spares come last, so that they have all
        that is imported."""
        if self._later:
            self._import_next()
        else:
            self._spares.add_one()

    def _import_next(self) -> None:
        name = self._later.pop(0)
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - whatever a module does when it is imported
            _log.exception("%s cannot be imported; whoever needs it will say so.", name)
        else:
            _log.info("Imported %s.", name)
        _settle()

    def _take_signals(self) -> None:
        numbers = os.read(self._woken, 4096)
        if not self._ending and any(number in numbers for number in _TO_END):
            self._ending = True
            self._selector.unregister(self._listener)
            self._listener.close()
            self._owed.clear()  # Their notes stay.
            for pid, child in self._children.items():
                if self._leaves(child):
                    _signal_session(pid, signal.SIGKILL)
                else:
                    os.kill(pid, signal.SIGTERM)  # ours until we have waited for it

    def _leaves(self, child: _Child) -> bool:
        """Whether a run is left for the next warm parent to go on with."""
        return self._lasting and isinstance(child, RunProcess) and child.left == "agent"

    def _hear(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        descriptors: list[int] = []
        with connection:
            connection.settimeout(_HEARING_SECONDS)
            try:
                answer = self._answer(connection, descriptors)
                connection.sendall(answer.model_dump_json().encode() + b"\n")
            except OSError as problem:
                _log.warning("Somebody asked and did not wait: %s", problem)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    def _answer(self, connection: socket.socket, descriptors: list[int]) -> Answer:
        """Does what is asked; `descriptors` gets those that came along."""
        line, given, _, _ = socket.recv_fds(connection, LONGEST, 2)
        descriptors.extend(given)
        while line and not line.endswith(b"\n") and len(line) < LONGEST:
            more = connection.recv(LONGEST - len(line))
            if not more:
                break
            line += more
        request = read_request(line)
        if isinstance(request, str):
            _log.warning("Refused a request: %s", request)
            return Answer(refused=request)
        return self._do(request, connection, descriptors)

    def _do(self, request: Request, connection: socket.socket, descriptors: list[int]) -> Answer:
        if isinstance(request, Interrupt):
            return Answer(pid=self._interrupt(request.run_id))
        if len(self._children) >= _MOST:
            return Answer(refused=f"{_MOST} processes are at work.")
        match request:
            case CarryOut():
                if self._has(request.run_id):
                    return Answer(refused=f"Run {request.run_id} is under way.")
                child = asked_process(request)
                self._notes.note(child.run_id, child.left)
                if (pid := self._spares.take(request)) is not None:
                    self._children[pid] = child
                    return Answer(pid=pid)
                work = partial(children.carry_out, request, self._instance)
            case Resume():
                if self._has(request.run_id):
                    return Answer()
                child = RunProcess(request.run_id, "agent" if request.of_agent else "")
                self._notes.note(child.run_id, child.left)
                work = partial(children.go_on, child.run_id, None, self._instance)
            case Serve():
                self._spares.forget(request.location)
                work, child = partial(children.serve, request), _Server(request.location)
        return Answer(pid=self._fork(work, child, connection.fileno(), output=descriptors))

    def _fork_spare(self, like: CarryOut, channel: socket.socket, ours: socket.socket) -> int:
        work = partial(children.stand_by, like, self._instance, channel)
        return self._fork(work, _Standby(), ours.fileno())

    def _interrupt(self, run_id: str) -> int | None:
        pid = self._pid_of(run_id)
        if pid is not None:
            child = self._children[pid]
            assert isinstance(child, RunProcess)
            if child.kill_at is None and not child.killed:
                child.kill_at = time.monotonic() + self._kill_after
            os.kill(pid, signal.SIGINT)
        elif (owed := self._owed.get(run_id)) is not None:
            self._owed[run_id] = replace(owed, due=time.monotonic())  # It finds that it is to end.
        return pid

    def _has(self, run_id: str) -> bool:
        return self._pid_of(run_id) is not None or run_id in self._owed

    def _pid_of(self, run_id: str) -> int | None:
        self._reap()
        for pid, child in self._children.items():
            if isinstance(child, RunProcess) and child.run_id == run_id:
                return pid
        return None

    def _fork(
        self, work: Callable[[], int], child: _Child, *more: int, output: Sequence[int] = ()
    ) -> int:
        own = [self._woken, self._wakes, self._selector.fileno(), *self._spares.channels(), *more]
        if not self._ending:
            own.append(self._listener.fileno())
        pid = fork(work, inherited=own, output=output)
        self._children[pid] = child
        return pid

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                self._see_off(pid, child, os.waitstatus_to_exitcode(status))

    def _see_off(self, pid: int, child: _Child, status: int) -> None:
        if isinstance(child, _Standby):
            self._spares.gone(pid)
        elif isinstance(child, _Server):
            _log.info("The code server of %s (process %d) ended: %d", child.location, pid, status)
        elif status == 0:
            self._notes.remove(child.run_id)
        elif self._ending and self._leaves(child):
            self._notes.note(child.run_id, "stopped")
        elif status == children.STALE and child.asked is not None:
            work = partial(children.carry_out, child.asked, self._instance)
            self._fork(work, asked_process(child.asked))
        else:
            _log.warning("The process %d of run %s ended: %d", pid, child.run_id, status)
            self._owe(child, Ending(_explained(status, killed=child.killed)))

    def _owe(self, gone: RunProcess, ending: Ending) -> None:
        owed = Owed.after(gone, ending)
        if owed is None:
            _log.error("Run %s is left as it is: its processes do not live.", gone.run_id)
            self._notes.remove(gone.run_id)
        else:
            self._owed[gone.run_id] = owed

    def _go_on(self) -> None:
        """Forks the processes that runs are owed; while this one is ending, they tell so."""
        for owed in [owed for owed in self._owed.values() if owed.due <= time.monotonic()]:
            child = owed.process()
            del self._owed[child.run_id]
            self._notes.note(child.run_id, child.left)
            self._fork(partial(children.go_on, child.run_id, owed.ending, self._instance), child)

    def _kill_late(self) -> None:
        for pid, child in self._children.items():
            if not isinstance(child, RunProcess) or child.kill_at is None:
                continue
            if child.kill_at <= time.monotonic():
                child.kill_at, child.killed = None, True
                _signal_session(pid, signal.SIGKILL)


def _signal_session(leader: int, number: signal.Signals) -> None:
    os.kill(leader, number)  # ours until we have waited for it; it may not head a group yet
    with suppress(ProcessLookupError):
        os.killpg(leader, number)


def _explained(status: int, *, killed: bool) -> str:
    if killed:
        return "was killed: it did not end when it was interrupted."
    from dagster._utils import get_run_crash_explanation

    return get_run_crash_explanation("", status).strip()


def _settle() -> None:
    """Keeps the collector off what is shared with children, and finds what would not survive in
    them."""
    import psutil

    gc.collect()
    gc.freeze()
    me = psutil.Process()
    if me.num_threads() > 1:
        _log.error("There are %d threads here; a fork may hang for good.", me.num_threads())
    if connected := me.net_connections("inet"):
        _log.error("There are connections here, which children would share: %s", connected)


def _go_on(number: int, frame: object) -> None:
    """Takes the place of the default; the pipe says which signal came."""
