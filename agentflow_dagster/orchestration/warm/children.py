"""What the warm parent's children do: carry out a run, at once or once they are told of one, go on
with one, serve agents."""

from __future__ import annotations

import gc
import os
import socket
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dagster import DagsterRunStatus
from dagster._cli.api import (
    _execute_run_command_body,  # pyright: ignore[reportPrivateUsage]
    _resume_run_command_body,  # pyright: ignore[reportPrivateUsage]
    api_cli,
)
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext
from dagster._core.execution.api import create_execution_plan
from dagster._utils.hosted_user_process import recon_job_from_origin
from dagster._utils.interrupts import capture_interrupts

from agentflow_dagster.orchestration import putting_away
from agentflow_dagster.orchestration.location import ONE_JOB
from agentflow_dagster.orchestration.names import LOCATION, LOCATION_VARIABLE, MACHINE_TAG
from agentflow_dagster.orchestration.storage import OrderedEventLog
from agentflow_dagster.orchestration.warm.asking import CarryOut
from agentflow_dagster.orchestration.warm.going_on import Ending, settled
from agentflow_dagster.orchestration.warm.spares import awaited

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from dagster import DagsterInstance

    from agentflow_dagster.orchestration.warm.asking import Serve

STALE = 75
"""How a spare ends that has been told of a run and has not begun it, because the project's modules
have changed since it imported them (`EX_TEMPFAIL`)."""


def stand_by(like: CarryOut, instance: DagsterInstance, channel: socket.socket) -> int:
    """Gets ready for a run like that one, and carries out the one that it is then told of."""
    before = set(sys.modules)
    _rehearse(like, instance)
    seen = _written(sys.modules.keys() - before)
    gc.freeze()  # What is made now lasts as long as the process.
    line = awaited(channel)
    if not line:
        return 0
    if _written(seen) != seen:
        return STALE
    return carry_out(CarryOut.model_validate_json(line), instance)


def _rehearse(like: CarryOut, instance: DagsterInstance) -> None:
    """Connects, imports the project and rebuilds the job, which Dagster keeps for a next run of the
    same version; nothing where there is no such run any more."""
    os.environ[LOCATION_VARIABLE] = like.location
    run = instance.get_run_by_id(like.run_id)
    if run is None or run.job_code_origin is None or run.execution_plan_snapshot_id is None:
        return
    plan = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    job = recon_job_from_origin(run.job_code_origin)
    if run.has_repository_load_data:
        job = job.with_repository_load_data(plan.repository_load_data)
    told = ONE_JOB.set(like.job)
    # As Dagster finds it in a new process.
    with DefinitionsLoadContext.scoped(cast("DefinitionsLoadContext", None)):
        create_execution_plan(job, run.run_config)
    ONE_JOB.reset(told)


def _written(modules: Iterable[str]) -> dict[str, int | None]:
    """When the files of modules were written (nanoseconds); None where there is none."""
    found: dict[str, int | None] = {}
    for name in modules:
        file = getattr(sys.modules[name], "__file__", None)
        found[name] = None
        if file is not None:
            with suppress(FileNotFoundError):
                found[name] = Path(file).stat().st_mtime_ns
    return found


def carry_out(asked: CarryOut, instance: DagsterInstance) -> int:
    """Carries out a run as `dagster api execute_run` does; 0 once Dagster knows how it ended."""
    _become_runs(asked.job, asked.location)
    with capture_interrupts(), instance:
        putting_away.own_process(asked.run_id)
        _execute(asked.run_id, instance)
        return _ended(asked.run_id, instance)


def go_on(run_id: str, ending: Ending | None, instance: DagsterInstance) -> int:
    """Goes on with a run whose process is gone, or tells Dagster that it has ended with it: that it
    was canceled, where that was asked for, or has failed. 0 once Dagster knows how it ended.

    Args:
        run_id: The run.
        ending: How its process ended; None where it was put away, or Dagster has decided that it
            goes on.
        instance: Where runs are recorded.
    """
    from agentflow_dagster.orchestration.run_status import brought_up

    with capture_interrupts(), instance:
        run = brought_up(run_id, instance)
        if run is None or run.is_finished:
            return 0
        was_put_away = run.status == DagsterRunStatus.SUSPENDED
        canceling = run.status == DagsterRunStatus.CANCELING
        if was_put_away:
            putting_away.woken(run, instance)
        elif (ending or canceling) and settled(run, ending or Ending("is gone."), instance):
            return 0
        origin = run.remote_job_origin
        _become_runs(run.job_name, origin.location_name if origin is not None else LOCATION)
        putting_away.own_process(run_id)
        if was_put_away or run.status == DagsterRunStatus.STARTED:
            _resume_run_command_body(
                run_id, instance, lambda _: None, set_exit_code_on_failure=False
            )
        else:
            _execute(run_id, instance)
        return _ended(run_id, instance)


def _become_runs(job: str, location: str) -> None:
    os.environ[LOCATION_VARIABLE] = location
    ONE_JOB.set(job)


def _ended(run_id: str, instance: DagsterInstance) -> int:
    run = instance.get_run_by_id(run_id)
    return 0 if run is None or run.is_finished else 1


def _execute(run_id: str, instance: DagsterInstance) -> None:
    with _start_at_once(run_id, instance):
        _execute_run_command_body(run_id, instance, lambda _: None, set_exit_code_on_failure=False)


@contextmanager
def _start_at_once(run_id: str, instance: DagsterInstance) -> Generator[None]:
    """Has the run's start, and on which machine it is, noted in one transaction, where the storage
    is ours."""
    here = {MACHINE_TAG: socket.gethostname()}
    events = instance.event_log_storage
    if not isinstance(events, OrderedEventLog):
        instance.add_run_tags(run_id, here)
        yield
        return
    start = events.keep_start(run_id, here)
    try:
        yield
    finally:
        start.flush()


def serve(asked: Serve) -> int:
    """Serves a code location until it is told to stop."""
    os.environ[LOCATION_VARIABLE] = asked.location
    sys.argv = ["dagster", "api", "grpc", *asked.arguments]
    api_cli.main(["grpc", *asked.arguments], standalone_mode=False)
    return 0
