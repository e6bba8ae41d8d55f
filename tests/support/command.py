"""The command `agentflow` as a process of its own, and what lives of it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
MARK = "AGENTFLOW_TEST_MARK"


def command() -> list[str]:
    """The installed command where there is one."""
    installed = Path(sys.executable).with_name("agentflow")
    if installed.exists():
        return [str(installed)]
    return [sys.executable, "-c", "from agentflow_dagster.cli import main; main()"]


@dataclass(frozen=True)
class Started:
    """A command at work; what it says goes to a file."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait_to_hear(self, words: str) -> None:
        """Waits until it has said these words."""

        def heard() -> bool:
            assert words in self.said or self.process.poll() is None, self.said
            return words in self.said

        wait_until(heard, seconds=240)

    def wait_for_end(self, *, seconds: float = 60) -> int:
        """Its exit status."""
        return self.process.wait(seconds)


@dataclass(frozen=True)
class Command:
    """The command in a folder, with variables of its own.

    Args:
        folder: Where it is called.
        variables: Environment variables beside this process's.
    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AGENTFLOW_", "DAGSTER_"))}
        return {**kept, "PYTHONPATH": str(ROOT), MARK: str(self.folder), **self.variables}

    def run(
        self, *arguments: str | Path, given: str | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Calls it and waits for its end.

        Args:
            arguments: What follows `agentflow`.
            given: Its standard input.
            timeout: Seconds.
        """
        return subprocess.run(
            [*command(), *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            input=given,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=timeout,
        )

    def start(self, *arguments: str | Path) -> Started:
        """Calls it and goes on; it is the head of a session, as in a terminal of its own."""
        descriptor, name = tempfile.mkstemp(prefix=".said-", dir=self.folder)
        os.close(descriptor)
        log = Path(name)
        with log.open("w") as output:
            process = subprocess.Popen(
                [*command(), *map(str, arguments)],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Started(process, log)

    def living(self) -> list[psutil.Process]:
        """Every process that it started, by its variables or (PostgreSQL) its command line."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        if process.pid == os.getpid():
            return False
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            marked = process.environ().get(MARK) == str(self.folder)
            return marked or any(str(self.folder) in part for part in process.cmdline())
        except psutil.Error:
            return False
