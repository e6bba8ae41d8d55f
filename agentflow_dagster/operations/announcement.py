"""How a project's other commands find the platform that is up, and that there is only one."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from agentflow_dagster.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from agentflow_dagster.operations.platform import Platform
    from agentflow_dagster.operations.project import Project

_LOOK_SECONDS = 1.0


class Announced(TypedDict):
    """The process that keeps a platform up, and where its parts listen."""

    pid: int
    dagster: str
    gateway: str | None
    jupyter: str | None


class Claimed(TypedDict):
    """The process that keeps a platform up, or is about to."""

    pid: int


@contextmanager
def announced(project: Project) -> Generator[Callable[[Platform], None]]:
    """Claims the project for as long as the block lasts; what it gives lets other commands find
    the platform.

    Raises:
        UsageError: it is up already.
    """
    path = project.make_home() / "up.json"

    def announce(platform: Platform) -> None:
        _write_private(
            path,
            {
                "pid": os.getpid(),
                "dagster": platform.client.url,
                "gateway": platform.gateway,
                "jupyter": platform.jupyter,
            },
        )

    with (project.home / "up.lock").open("a") as lock:
        _take(lock.fileno(), project.home)
        # Over what one that was killed has left, and for `agentflow down` while this one starts.
        _write_private(path, {"pid": os.getpid()})
        try:
            yield announce
        finally:
            path.unlink(missing_ok=True)


def found_running(project: Project) -> Announced | None:
    """What `announced` told, once the platform is up and while its process lives."""
    told = found_process(project)
    return told if told and "dagster" in told else None


def found_process(project: Project) -> Claimed | Announced | None:
    """The same, also while the platform is starting or stopping: then with its `pid` alone."""
    path = project.home / "up.lock"
    if not path.exists():
        return None
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                return json.loads((project.home / "up.json").read_text(encoding="utf-8"))
            except FileNotFoundError:
                return None
    return None


def _take(descriptor: int, home: Path) -> None:
    """Takes the lock; tries for a moment, for whoever looks has it for as long as it looks."""
    deadline = time.monotonic() + _LOOK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise UsageError(
                    f"This project ({home}) is up already.", hint="Stop it with `agentflow down`."
                ) from None
            time.sleep(0.01)
        else:
            return


def _write_private(path: Path, told: dict[str, Any]) -> None:
    """Writes the file whole, for this user alone: JupyterLab's address has the token in it."""
    descriptor, scratch = tempfile.mkstemp(prefix=".up-", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(told, file)
    Path(scratch).replace(path)
