"""A run that has a process of its own gives it up while all that is left of it waits, and has
another once there is an answer."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from dagster import DagsterEvent, DagsterEventType, DagsterRunStatus

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration.engine_lane.asking import engine_socket
from agentflow_dagster.orchestration.warm.asking import Resume, ask, warm_parent
from agentflow_dagster.orchestration.warm.going_on import is_of_agents

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from dagster import DagsterInstance, DagsterRun

    from agentflow_dagster.engine.activity import Activity
    from agentflow_dagster.orchestration.held_waits import HeldStore, HeldWaits
    from agentflow_dagster.ports.waits import WaitStore

Result = TypeVar("Result")

REST_SECONDS = 2.0
"""How long a process waits itself: another one takes a moment to begin."""
_log = logging.getLogger(__name__)
_own: list[str] = []


def own_process(run_id: str) -> None:
    """This process is that run's, and may end with it."""
    _own[:] = [run_id]


def give_up(run: DagsterRun, instance: DagsterInstance, store: HeldStore) -> Callable[[str], None]:
    """What puts a run away, ending this process; it is told what the run waits for, and returns
    only where the run is to stay.

    Args:
        run: The run.
        instance: Where it is recorded.
        store: What it waits for.
    """

    def is_now(status: DagsterRunStatus) -> bool:
        current = instance.get_run_by_id(run.run_id)
        return current is not None and current.status == status

    def away(told: str) -> None:
        if not is_now(DagsterRunStatus.STARTED):
            return
        events = instance.event_log_storage
        if events.supports_global_concurrency_limits:
            events.free_concurrency_slots_for_run(run.run_id)
        # First: an answer that comes before the next line is looked for until the run is suspended.
        store.hand_over(run.run_id, held=False)
        _report(DagsterEventType.RUN_SUSPENDED, told, run, instance)
        if not is_now(DagsterRunStatus.SUSPENDED):
            return  # Somebody has it canceled in this moment, of which this process will be told.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(0)

    return away


def may_give_up(run: DagsterRun, instance: DagsterInstance) -> bool:
    """Whether this process is the run's own, and somebody will have the run woken."""
    woken = warm_parent() is not None and engine_socket(os.environ) is not None
    return _own == [run.run_id] and woken and is_of_agents(run, instance)


async def until_at_rest(
    work: Coroutine[None, None, Result],
    activity: Activity,
    waits: HeldWaits,
    away: Callable[[str], None],
) -> Result:
    """Does a step's work; the run is put away once nothing of it is to be done but to wait."""

    async def watch() -> None:
        while True:
            await activity.rest()
            await asyncio.sleep(REST_SECONDS)
            if activity.at_rest and waits.idle:
                try:
                    away(waits.told())  # On this thread: nothing goes on meanwhile.
                except Exception:  # noqa: BLE001 - it is tried again; Dagster's storage raises its own
                    _log.warning("The run cannot be put away now.", exc_info=True)

    activity.enter()
    watching = asyncio.create_task(watch())
    try:
        return await work
    finally:
        watching.cancel()


def wake(run: DagsterRun, store: WaitStore) -> bool:
    """Has a run that was put away carried on in a process; False where it still has one.

    Raises:
        RunError: there is no warm parent, or it refused.
    """
    if run.status != DagsterRunStatus.SUSPENDED:
        return False
    path = warm_parent()
    if path is None:
        raise RunError(f"Run {run.run_id} needs a warm parent to go on: agentflow up.")
    if ask(path, Resume(run_id=run.run_id, of_agent=True)).pid is None:
        return False
    store.hand_over(run.run_id, held=True)
    return True


def woken(run: DagsterRun, instance: DagsterInstance) -> None:
    """Records that a run which was put away goes on."""
    told = f'Resumed execution of run for "{run.job_name}".'
    _report(DagsterEventType.RUN_RESUMED, told, run, instance)


def _report(type_: DagsterEventType, told: str, run: DagsterRun, instance: DagsterInstance) -> None:
    instance.report_dagster_event(DagsterEvent(type_.value, run.job_name, message=told), run.run_id)
