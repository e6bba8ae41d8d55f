"""Keeps a group of processes running, and leaves none behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow_dagster.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from agentflow_dagster.operations.components import Component

_KEEPER = Path(__file__).with_name("keeper.py")
_KEEPER_SECONDS = 10.0
"""How long a keeper may take beyond the grace: it has to kill and wait, no more."""
_ASK_SECONDS = 5.0
"""Between two questions whether a process answers."""
_RESTARTS = 5
_RESTART_WINDOW_SECONDS = 60.0


@dataclass(slots=True)
class _Running:
    component: Component
    process: subprocess.Popen[bytes]
    restarts: list[float]
    asked_at: float = 0.0


class Processes:
    """Started together, restarted when one dies, stopped together.

    Each is the child of a keeper (keeper.py), which ends it and whatever it started once this
    object is stopped or this process is gone, by `kill -9` too.

    Args:
        folder: Where each writes its log, `<name>.log`.
        environment: Variables that all get.
        cwd: The folder that they run in.
        grace: Seconds that each is given between SIGTERM and SIGKILL.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], cwd: Path, *, grace: float = 10.0
    ) -> None:
        self._grace = grace
        self._folder = folder
        self._environment = dict(environment)
        self._cwd = cwd
        self._running: dict[str, _Running] = {}
        # Keepers hold the far end: they see when the near one closes, and we when all are gone.
        self._line, self._far = socket.socketpair()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, components: Sequence[Component]) -> None:
        """Starts them all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for component in components:
            process = self._launch(component)
            self._running[component.name] = _Running(component, process, [])

    def pid(self, name: str) -> int:
        """The process id of one; it is the head of a session of its own.

        Raises:
            RunError: it has ended.
        """
        import psutil

        keeper = self._running[name].process
        try:
            return min(psutil.Process(keeper.pid).children(), key=lambda p: p.create_time()).pid
        except (ValueError, psutil.NoSuchProcess):
            raise RunError(f"{name} is not running.") from None

    def check(self) -> None:
        """Raises for the first that has ended.

        Raises:
            RunError: with the last lines of its log.
        """
        for name, running in self._running.items():
            if (status := running.process.poll()) is not None:
                raise self._ended(name, status)

    def revive(self) -> list[str]:
        """Starts again whatever has died; the names of those that had. Ends what does not answer,
        which is then started again by the next call.

        Raises:
            RunError: one died more than five times within a minute.
        """
        revived: list[str] = []
        for name, running in self._running.items():
            status = running.process.poll()
            if status is None:
                self._end_if_silent(name, running)
                continue
            now = time.monotonic()
            recent = [t for t in running.restarts if now - t < _RESTART_WINDOW_SECONDS]
            if len(recent) >= _RESTARTS:
                raise self._ended(name, status)
            running.restarts = [*recent, now]
            running.process = self._launch(running.component)
            revived.append(name)
        return revived

    def _end_if_silent(self, name: str, running: _Running) -> None:
        """Kills one that lives and does not answer: stopped, it would not hear of less."""
        answers = running.component.answers
        if answers is None or time.monotonic() - running.asked_at < _ASK_SECONDS:
            return
        if not answers() and running.process.poll() is None:
            with suppress(RunError, ProcessLookupError):
                os.kill(self.pid(name), signal.SIGKILL)
        running.asked_at = time.monotonic()

    def restart(self, name: str) -> None:
        """Ends one as `stop` does, and starts it again, where there is one of that name."""
        if (running := self._running.get(name)) is not None:
            running.process.terminate()
            running.process.wait()
            running.process = self._launch(running.component)

    def stop(self) -> None:
        """Ends all of them and whatever they started: politely, and after the grace for good."""
        self._far.close()
        self._line.shutdown(socket.SHUT_WR)
        self._line.settimeout(self._grace + _KEEPER_SECONDS)
        try:
            self._wait_for_all()
        except KeyboardInterrupt:
            self._wait_for_all()  # whoever goes on from here may take their folders away
            raise
        self._line.close()
        self._running.clear()

    def _wait_for_all(self) -> None:
        try:
            self._line.recv(1)
        except TimeoutError:
            for running in self._running.values():
                running.process.kill()
        for running in self._running.values():
            running.process.wait()

    def log(self, name: str) -> Path:
        """The log file of one."""
        return self._folder / f"{name}.log"

    def _launch(self, component: Component) -> subprocess.Popen[bytes]:
        line = self._far.fileno()
        keeper = [sys.executable, "-I", "-S", str(_KEEPER), str(line), str(self._grace)]
        with self.log(component.name).open("ab") as log:
            return subprocess.Popen(
                [*keeper, *component.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._cwd,
                env=self._environment | dict(component.environment),
                start_new_session=True,  # Ctrl-C in our terminal is for us alone
                pass_fds=[line],
            )

    def _ended(self, name: str, status: int) -> RunError:
        lines = self.log(name).read_text(errors="replace").splitlines()[-15:]
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return RunError(
            f"{name} ended with {how}. Its last lines:\n  " + "\n  ".join(lines),
            hint=f"All of them: {self.log(name)}",
        )
