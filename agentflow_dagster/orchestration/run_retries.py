"""Tries runs again whose time has come, as Dagster's own automatic retries do.

It is one of the daemons in Dagster's daemon process: that has the code locations at hand, there is
one, and it is watched over.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from dagster import DagsterRunStatus
from dagster._core.definitions.metadata import MetadataValue
from dagster._core.definitions.selector import JobSubsetSelector
from dagster._core.errors import DagsterRunAlreadyExists, DagsterUserCodeUnreachableError
from dagster._core.events import EngineEventData
from dagster._core.execution.plan.resume_retry import ReexecutionStrategy
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, RETRY_NUMBER_TAG
from dagster._daemon.daemon import IntervalDaemon
from sqlalchemy.exc import DBAPIError

from agentflow_dagster.errors import RunError, StoreError
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.owed_runs import retry_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from dagster import DagsterInstance, DagsterRun
    from dagster._core.remote_representation.code_location import CodeLocation
    from dagster._core.remote_representation.external import RemoteJob
    from dagster._core.workspace.context import (
        BaseWorkspaceRequestContext,
        IWorkspaceProcessContext,
    )

    from agentflow_dagster.orchestration.run_verdicts import Judge
    from agentflow_dagster.ports.failures import Due, Failures

LOOK_SECONDS = 1
_LATER_SECONDS = 10.0
"""When a run is asked for again that could not be made."""
_log = logging.getLogger(__name__)


class RunRetries(IntervalDaemon[Any]):
    """Judges what has failed, and starts what is due.

    Args:
        judge: Says what is owed, given Dagster's instance.
    """

    def __init__(self, judge: Callable[[DagsterInstance], Judge]) -> None:
        cast("Any", super()).__init__(interval_seconds=LOOK_SECONDS)
        self._judge = judge

    @classmethod
    def daemon_type(cls) -> str:
        return "AGENTFLOW_RETRIES"

    def run_iteration(
        self, workspace_process_context: IWorkspaceProcessContext[BaseWorkspaceRequestContext]
    ) -> Generator[None]:
        """One look."""
        process = cast("Any", workspace_process_context)
        judge = self._judge(process.instance)
        judge.judge_all()
        yield
        for due in judge.failures.due():
            try_again(process.create_request_context(), judge.failures, due)
            yield


def try_again(workspace: BaseWorkspaceRequestContext, failures: Failures, due: Due) -> None:
    """Starts the run that is owed for one that failed; once, whoever else tries."""
    instance = workspace.instance
    made = instance.get_run_by_id(due.made) if due.made is not None else None
    if due.made is not None and (made is None or made.status != DagsterRunStatus.NOT_STARTED):
        failures.started(due.id)  # or a person has deleted it
        return
    try:
        run = made or _made(workspace, failures, due)
        if run is not None:
            instance.submit_run(run.run_id, workspace)
            failures.started(due.id)
    except DagsterRunAlreadyExists:
        pass  # Another is at it; if it does not come to submit it, the next look does.
    except (DagsterUserCodeUnreachableError, DBAPIError, StoreError, OSError) as problem:
        _log.warning("Run %s is tried again later: %s", due.run_id, problem)
        failures.put_off(due.id, _LATER_SECONDS)
    except Exception as problem:  # noqa: BLE001 - it must not keep the others from being tried
        _log.exception("Run %s cannot be tried again.", due.run_id)
        failures.give_up(due.id, f"It cannot be tried again: {problem}")
        failures.put_off(due.id, _LATER_SECONDS)  # Where its run was made: that is owed a start.


def _made(
    workspace: BaseWorkspaceRequestContext, failures: Failures, due: Due
) -> DagsterRun | None:
    """Makes the run, with the tags by which Dagster's UI groups it with the one that failed."""
    instance = workspace.instance
    failed = instance.get_run_by_id(due.run_id)
    if failed is None:
        failures.give_up(due.id, "The run was deleted.")
        return None
    location, job = _job_of(workspace, failed)
    version = job.tags.get(names.VERSION_TAG, "")
    # Values of another version's steps are not this one's.
    rest = due.again == "rest" and version == failed.tags.get(names.VERSION_TAG)
    tags = {**retry_tag(due.id, failed.run_id), names.VERSION_TAG: version}
    if due.again == "rest":
        tags[RETRY_NUMBER_TAG] = str(due.attempts)
    strategy = ReexecutionStrategy.FROM_FAILURE if rest else ReexecutionStrategy.ALL_STEPS
    run = instance.create_reexecuted_run(
        parent_run=failed,
        request_context=workspace,
        code_location=location,
        remote_job=job,
        strategy=strategy,
        extra_tags=tags,
        use_parent_run_tags=True,
    )
    instance.add_run_tags(failed.run_id, {AUTO_RETRY_RUN_ID_TAG: run.run_id})
    link = EngineEventData({"new run": MetadataValue.dagster_run(run.run_id)})
    instance.report_engine_event("Trying the run again", failed, link)
    return run


def _job_of(
    workspace: BaseWorkspaceRequestContext, failed: DagsterRun
) -> tuple[CodeLocation, RemoteJob]:
    """The job of a run, as it is served now, in whichever code location.

    Raises:
        DagsterUserCodeUnreachableError: a code location is not there at the moment.
        RunError: the job is served no more.
    """
    missing: list[str] = []
    for name, entry in workspace.get_code_location_entries().items():
        location = entry.code_location
        if location is None:
            missing.append(name)
            continue
        for repository in location.get_repositories().values():
            if repository.has_job(failed.job_name):
                selector = _selector(location.name, repository.name, failed)
                return location, location.get_job(selector)
    if missing:
        raise DagsterUserCodeUnreachableError(f"{', '.join(missing)} cannot be loaded now.")
    raise RunError(f"No code location serves {failed.job_name!r} any more.")


def _selector(location: str, repository: str, failed: DagsterRun) -> JobSubsetSelector:
    chosen, checks = failed.asset_selection, failed.asset_check_selection
    return JobSubsetSelector(
        location_name=location,
        repository_name=repository,
        job_name=failed.job_name,
        op_selection=failed.op_selection,
        asset_selection=None if chosen is None else list(chosen),
        asset_check_selection=None if checks is None else list(checks),
    )
