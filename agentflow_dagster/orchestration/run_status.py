"""A run's status, where the process died that had told of a change of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster._core.events import EVENT_TYPE_TO_PIPELINE_RUN_STATUS
from dagster._time import datetime_from_timestamp

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun


def brought_up(run_id: str, instance: DagsterInstance) -> DagsterRun | None:
    """The run, with the status that its last event gives it: Dagster commits the event first. None
    where it was deleted."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return run
    told = instance.all_logs(run_id, of_type=set(EVENT_TYPE_TO_PIPELINE_RUN_STATUS))
    if not told:
        return run
    last = told[-1].get_dagster_event()
    if EVENT_TYPE_TO_PIPELINE_RUN_STATUS[last.event_type] == run.status:
        return run
    instance.handle_run_event(run_id, last, datetime_from_timestamp(told[-1].timestamp))
    return instance.get_run_by_id(run_id)
