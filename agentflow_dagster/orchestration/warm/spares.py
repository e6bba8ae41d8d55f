"""Children that stand by: forked before a run is asked for, each carries out one.

A child that begins with the request imports the project's modules, opens its connections and
compiles the job while the run waits. One that stands by has done that for the newest run of its
code location (`children.stand_by`), and the next run there is most likely of the same job.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.orchestration.warm.asking import LOGGER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agentflow_dagster.orchestration.warm.asking import CarryOut

_MOST = 2
"""Spares at a time; each holds some 40 MB beside what it shares, and two connections."""
_OLDEST_SECONDS = 120.0
"""What a project reads when its modules are imported is as old as the spare that has read it."""
_READY = b"\n"
_log = logging.getLogger(LOGGER)


@dataclass(frozen=True, slots=True)
class _Spare:
    location: str
    channel: socket.socket
    made_at: float


class Spares:
    """Which children stand by, and for which code locations.

    Args:
        fork: Forks a child that stands by for runs like this one, and is told of its run over the
            first of two sockets; the other is ours. Its process id.
    """

    def __init__(self, fork: Callable[[CarryOut, socket.socket, socket.socket], int]) -> None:
        self._fork = fork
        self._newest: dict[str, CarryOut] = {}
        self._standing: dict[int, _Spare] = {}

    def channels(self) -> list[int]:
        """The descriptors by which spares are told; no other child may hold one."""
        return [spare.channel.fileno() for spare in self._standing.values()]

    def take(self, asked: CarryOut) -> int | None:
        """Gives a run to a spare of its location; the process, or None where none is ready."""
        self._newest.pop(asked.location, None)
        self._newest[asked.location] = asked
        for pid, spare in list(self._standing.items()):
            if spare.location == asked.location and _is_ready(spare):
                del self._standing[pid]
                with spare.channel:
                    if _tell(spare, asked):
                        return pid
        return None

    def add_one(self) -> None:
        """Ends the spares that are too old or too many, and forks the one that is lacking most."""
        lacking, needless = self._compared()
        self._end(needless)
        if not lacking:
            return
        ours, theirs = socket.socketpair()
        with theirs:
            pid = self._fork(self._newest[lacking[0]], theirs, ours)
        self._standing[pid] = _Spare(lacking[0], ours, time.monotonic())

    def due_in(self, quiet: float) -> float | None:
        """Seconds until `add_one` has something to do, if nothing happens before; where it has
        already, as long as it should be quiet first."""
        if any(self._compared()):
            return quiet
        ages = [_age(spare) for spare in self._standing.values()]
        return _OLDEST_SECONDS - max(ages) if ages else None

    def forget(self, location: str) -> None:
        """Ends the spares of a location, whose definitions are being loaded again."""
        self._end([pid for pid, s in self._standing.items() if s.location == location])

    def gone(self, pid: int) -> None:
        """A child has ended. A spare that ended by itself could not load the project; the next is
        forked once a run has been asked for."""
        spare = self._standing.pop(pid, None)
        if spare is not None:
            spare.channel.close()
            self._newest.pop(spare.location, None)
            _log.warning("The process %d could not stand by for %s.", pid, spare.location)

    def _compared(self) -> tuple[list[str], list[int]]:
        """The locations of the spares that are lacking, and the spares that are not wanted; where
        there are several locations, the newest have one each."""
        newest = list(reversed(self._newest))
        lacking = [newest[i % len(newest)] for i in range(_MOST)] if newest else []
        needless: list[int] = []
        for pid, spare in self._standing.items():
            if spare.location in lacking and _age(spare) < _OLDEST_SECONDS:
                lacking.remove(spare.location)
            else:
                needless.append(pid)
        return lacking, needless

    def _end(self, pids: Iterable[int]) -> None:
        for pid in pids:
            self._standing.pop(pid).channel.close()
            os.kill(pid, signal.SIGTERM)  # ours until we have waited for it


def _age(spare: _Spare) -> float:
    return time.monotonic() - spare.made_at


def _is_ready(spare: _Spare) -> bool:
    try:
        said = spare.channel.recv(len(_READY), socket.MSG_DONTWAIT | socket.MSG_PEEK)
    except OSError:  # It is getting ready, or gone.
        return False
    return said == _READY and _age(spare) < _OLDEST_SECONDS


def _tell(spare: _Spare, asked: CarryOut) -> bool:
    try:
        spare.channel.sendall(asked.model_dump_json().encode() + b"\n")
    except OSError:
        return False
    return True


def awaited(channel: socket.socket) -> bytes:
    """Says, in a spare, that it is ready; returns the line that it is told, none of it where it
    is not needed any more."""
    with channel, channel.makefile("rb") as lines:
        with suppress(BrokenPipeError):
            channel.sendall(_READY)
        return lines.readline()
