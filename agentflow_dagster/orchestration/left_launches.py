"""Launches the runs that a daemon had taken out of the queue when it died.

Dagster takes a run out of the queue and launches it one after the other. A run that it had only
taken out would be STARTING until, after minutes, its monitoring fails it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from dagster import DagsterRunStatus, RunsFilter
from dagster._core.launcher import LaunchRunContext
from dagster._daemon.daemon import IntervalDaemon

from agentflow_dagster.orchestration.launcher import LaneLauncher

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from dagster import DagsterInstance
    from dagster._core.workspace.context import (
        BaseWorkspaceRequestContext,
        IWorkspaceProcessContext,
    )

_LOOK_SECONDS = 5
_log = logging.getLogger(__name__)


def runs_left(instance: DagsterInstance) -> list[str]:
    """The runs that have been taken out of the queue; asked before this process takes any."""
    starting = RunsFilter(statuses=[DagsterRunStatus.STARTING])
    return [run.run_id for run in instance.get_runs(starting)]


class LeftLaunches(IntervalDaemon[Any]):
    """Launches runs once; those that cannot be launched at the moment, later.

    Args:
        run_ids: As `runs_left` has them.
    """

    def __init__(self, run_ids: Iterable[str]) -> None:
        cast("Any", super()).__init__(interval_seconds=_LOOK_SECONDS)
        self._left = list(run_ids)

    @classmethod
    def daemon_type(cls) -> str:
        return "AGENTFLOW_LAUNCHES"

    def run_iteration(
        self, workspace_process_context: IWorkspaceProcessContext[BaseWorkspaceRequestContext]
    ) -> Generator[None]:
        """One look."""
        yield
        if not self._left:
            return
        workspace = cast("Any", workspace_process_context).create_request_context()
        for run_id in list(self._left):
            if launched(workspace, run_id):
                self._left.remove(run_id)
            yield


def launched(workspace: BaseWorkspaceRequestContext, run_id: str) -> bool:
    """Launches a run unless somebody has it; False where it is to be tried again."""
    instance = workspace.instance
    run, launcher = instance.get_run_by_id(run_id), instance.run_launcher
    assert isinstance(launcher, LaneLauncher)
    if run is None or launcher.was_launched(run):
        return True
    _log.info("Run %s was taken out of the queue and not launched; it is now.", run_id)
    try:
        launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=workspace))
    except Exception:  # noqa: BLE001 - it must not keep the others from being launched
        _log.exception("Run %s cannot be launched now.", run_id)
        return False
    return True
