"""Keeps a group of processes running, and leaves none behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from agentflow_dagster.operations.components import Component

_STOP_SECONDS = 10.0
_RESTARTS = 5
_RESTART_WINDOW_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class _Running:
    component: Component
    process: subprocess.Popen[bytes]
    restarts: list[float]


class Processes:
    """Started together, restarted when one dies, stopped together.

    Each is the head of a process group of its own, so that whatever it started ends with it, and
    is told by the kernel to end should this process be killed.

    Args:
        folder: Where each writes its log, `<name>.log`.
        environment: Variables that all get.
        cwd: The folder that they run in.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], cwd: Path) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._cwd = cwd
        self._running: dict[str, _Running] = {}

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
        """The process id of one."""
        return self._running[name].process.pid

    def check(self) -> None:
        """Raises for the first that has ended.

        Raises:
            RunError: with the last lines of its log.
        """
        for name, running in self._running.items():
            if (status := running.process.poll()) is not None:
                raise self._ended(name, status)

    def revive(self) -> list[str]:
        """Starts again whatever has died; the names of those that had.

        Raises:
            RunError: one died more than five times within a minute.
        """
        revived: list[str] = []
        for name, running in self._running.items():
            status = running.process.poll()
            if status is None:
                continue
            now = time.monotonic()
            recent = [t for t in running.restarts if now - t < _RESTART_WINDOW_SECONDS]
            if len(recent) >= _RESTARTS:
                raise self._ended(name, status)
            _end_group(running.process, signal.SIGKILL)
            running.restarts = [*recent, now]
            running.process = self._launch(running.component)
            revived.append(name)
        return revived

    def stop(self) -> None:
        """Ends all of them: politely, and after ten seconds for good."""
        for running in reversed(self._running.values()):
            _end_group(running.process, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for running in self._running.values():
            try:
                running.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue
        for running in self._running.values():
            _end_group(running.process, signal.SIGKILL)
            running.process.wait()
        self._running.clear()

    def log(self, name: str) -> Path:
        """The log file of one."""
        return self._folder / f"{name}.log"

    def _launch(self, component: Component) -> subprocess.Popen[bytes]:
        with self.log(component.name).open("ab") as log:
            return subprocess.Popen(
                component.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._cwd,
                env=self._environment | dict(component.environment),
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - it makes one system call, no more
            )

    def _ended(self, name: str, status: int) -> RunError:
        lines = self.log(name).read_text(errors="replace").splitlines()[-15:]
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return RunError(
            f"{name} ended with {how}. Its last lines:\n  " + "\n  ".join(lines),
            hint=f"All of them: {self.log(name)}",
        )


def _end_group(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    try:
        os.killpg(process.pid, how)
    except ProcessLookupError:
        return


def _die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
