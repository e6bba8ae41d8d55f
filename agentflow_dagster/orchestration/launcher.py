"""Dagster's own run launcher, which here can also say whether a run's process still lives."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from dagster import DagsterEventType, DagsterRun
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus

from agentflow_dagster.orchestration.names import MACHINE_TAG

if TYPE_CHECKING:
    from dagster._core.launcher.base import LaunchRunContext

_CLOCK_SECONDS = 60.0
"""How far a machine's clock may have been set forward since a process told its number."""


class LocalRunLauncher(DefaultRunLauncher):
    """Lets Dagster's run monitoring fail a run whose process is gone.

    The code server tells of a run's process that dies. Where both are killed (a power cut, the
    machine out of memory), the run would stay STARTED for ever, and keep its place in the queue.
    """

    def launch_run(self, context: LaunchRunContext) -> None:
        here = {MACHINE_TAG: socket.gethostname()}
        self._instance.add_run_tags(context.dagster_run.run_id, here)
        super().launch_run(context)

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """FAILED where the run's process was on this machine and is not any more."""
        if run.tags.get(MACHINE_TAG) != socket.gethostname():
            return CheckRunHealthResult(WorkerStatus.RUNNING, "It is on another machine.")
        told = self._process_of(run.run_id)
        if told is None or _lives(*told):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"Its process {told[0]} is gone.")

    def _process_of(self, run_id: str) -> tuple[int, float] | None:
        """The number of the run's process, and when it told it (Unix seconds)."""
        for entry in self._instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT):
            event = entry.dagster_event
            if event is not None and "pid" in event.engine_event_data.metadata:
                return int(str(event.engine_event_data.metadata["pid"].value)), entry.timestamp
        return None


def _lives(pid: int, told_at: float) -> bool:
    import psutil

    try:
        process = psutil.Process(pid)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return not ended and process.create_time() < told_at + _CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return False
