"""Hands each run to its lane (`lanes.py`), and stops it there."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from dagster import DagsterEventType, DagsterRun, DagsterRunStatus
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration.asked_lines import NobodyListensError, NotAnsweredError
from agentflow_dagster.orchestration.engine_lane import asking as engine
from agentflow_dagster.orchestration.engine_lane.asking import (
    CancelRun,
    StartRun,
    engine_socket,
)
from agentflow_dagster.orchestration.lanes import lane_of
from agentflow_dagster.orchestration.names import (
    AGENT_TAG,
    LOCATION,
    MACHINE_TAG,
    PARENT_RUN_TAG,
    job_name,
)
from agentflow_dagster.orchestration.warm.asking import (
    CarryOut,
    Interrupt,
    Resume,
    ask,
    warm_parent,
)
from agentflow_dagster.orchestration.warm.under_way import is_under_way

if TYPE_CHECKING:
    from dagster._core.launcher.base import LaunchRunContext, ResumeRunContext

NOT_BEGUN = frozenset(
    {DagsterRunStatus.NOT_STARTED, DagsterRunStatus.QUEUED, DagsterRunStatus.STARTING}
)
_CLOCK_SECONDS = 60.0
"""How far a machine's clock may have been set forward since a process told its number."""


class LaneLauncher(DefaultRunLauncher):
    """Starts each run in its lane, and interrupts it there.

    Lets Dagster's run monitoring fail a run whose process is gone and that nobody goes on with: it
    would stay STARTED for ever, and keep its place in the queue.
    """

    def launch_run(self, context: LaunchRunContext) -> None:
        """Starts the run; the stock way also where neither engine nor warm parent is there.

        Raises:
            RunError: the engine or the warm parent refused.
            DagsterUserCodeUnreachableError: it went away before it answered, and nobody sees to
                the run; Dagster's daemon puts that back into the queue.
        """
        run = context.dagster_run
        try:
            if self._hand_over(run):
                return
        except NotAnsweredError as problem:
            if self._has_begun(run.run_id):
                return
            raise DagsterUserCodeUnreachableError(str(problem)) from problem
        self._instance.add_run_tags(run.run_id, {MACHINE_TAG: socket.gethostname()})
        super().launch_run(context)

    def _hand_over(self, run: DagsterRun) -> bool:
        """Whether the engine or the warm parent has the run."""
        lane = lane_of(run)
        if lane == "engine" and _begin(run.run_id):
            return True
        return lane != "stock" and warm_parent() is not None and _fork(run)

    def _has_begun(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        return is_under_way(run_id) or run is None or run.status not in NOT_BEGUN

    def was_launched(self, run: DagsterRun) -> bool:
        """Whether a run that has been taken out of the queue was handed to anybody, as far as can
        be told here."""
        elsewhere = run.tags.get(MACHINE_TAG, socket.gethostname()) != socket.gethostname()
        return (
            elsewhere
            or GRPC_INFO_TAG in run.tags
            or self._has_begun(run.run_id)
            or self._process_of(run.run_id) is not None
        )

    @property
    def supports_resume_run(self) -> bool:
        return True

    def resume_run(self, context: ResumeRunContext) -> None:
        """Goes on with a run whose process is gone, as Dagster's monitoring asks where its settings
        say so; runs of agents go on without.

        Raises:
            RunError: there is no warm parent, or it refused.
        """
        path = warm_parent()
        if path is None:
            raise RunError("There is no warm parent, which runs go on by.")
        ask(path, Resume(run_id=context.dagster_run.run_id))

    def terminate(self, run_id: str) -> bool:
        """Interrupts a run's process; False where there is none that this machine could."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        path = warm_parent()
        if GRPC_INFO_TAG in run.tags or (path is None and engine_socket(os.environ) is None):
            return super().terminate(run_id)
        self._instance.report_run_canceling(run)
        if _stop(run_id) or (path is not None and _interrupt(path, run_id)):
            return True
        if is_under_way(run_id):
            return True  # Whoever goes on with it finds that it is to end.
        if run.status == DagsterRunStatus.SUSPENDED:
            self._instance.report_run_canceled(run, "It was suspended.")
            return True
        if self.check_run_worker_health(run).status == WorkerStatus.FAILED:
            self._instance.report_run_canceled(run, "Its process was gone.")
            return True
        self._instance.report_engine_event("There is no process of this run to interrupt.", run)
        return False

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """FAILED where the run's process was on this machine and is not any more."""
        if run.tags.get(MACHINE_TAG) != socket.gethostname():
            return CheckRunHealthResult(WorkerStatus.RUNNING, "It is on another machine.")
        if self._is_seen_to(run):
            return CheckRunHealthResult(
                WorkerStatus.RUNNING, "It has a process, or is to have one."
            )
        told = self._process_of(run.run_id)
        if told is None or _lives(*told):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"Its process {told[0]} is gone.")

    def _is_seen_to(self, run: DagsterRun) -> bool:
        """Whether somebody goes on with the run, should its process die; with one that another run
        started, whoever goes on with that one."""
        above: DagsterRun | None = run
        while above is not None and not is_under_way(above.run_id):
            parent = above.tags.get(PARENT_RUN_TAG)
            above = self._instance.get_run_by_id(parent) if parent is not None else None
        return above is not None

    def _process_of(self, run_id: str) -> tuple[int, float] | None:
        """The number of the run's last process, and when it told it (Unix seconds)."""
        told = self._instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT)
        for entry in reversed(told):
            event = entry.dagster_event
            if event is not None and "pid" in event.engine_event_data.metadata:
                return int(str(event.engine_event_data.metadata["pid"].value)), entry.timestamp
        return None


def _begin(run_id: str) -> bool:
    """Has the engine carry out a run; False where it is not there."""
    path = engine_socket(os.environ)
    try:
        return path is not None and engine.ask(path, StartRun(run_id=run_id)).done
    except NobodyListensError:
        return False


def _stop(run_id: str) -> bool:
    """Has the engine stop a run; False where it is none of the engine's."""
    path = engine_socket(os.environ)
    try:
        return path is not None and engine.ask(path, CancelRun(run_id=run_id)).done
    except NobodyListensError:
        return False


def _fork(run: DagsterRun) -> bool:
    """Has the warm parent carry out a run; False where it is not there."""
    path = warm_parent()
    assert path is not None
    origin = run.remote_job_origin
    location = origin.location_name if origin is not None else LOCATION
    try:
        asked = CarryOut(
            run_id=run.run_id,
            job=run.job_name,
            location=location,
            of_agent=run.job_name == job_name(run.tags.get(AGENT_TAG, "")),
        )
        ask(path, asked)
    except NobodyListensError:
        return False
    return True


def _interrupt(path: str, run_id: str) -> bool:
    try:
        return ask(path, Interrupt(run_id=run_id)).pid is not None
    except NobodyListensError:
        return False


def _lives(pid: int, told_at: float) -> bool:
    import psutil

    try:
        process = psutil.Process(pid)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return not ended and process.create_time() < told_at + _CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return False
