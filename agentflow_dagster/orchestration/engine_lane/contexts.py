"""As much of Dagster's contexts as its events ask for: they tell of themselves there."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, cast

from dagster import EventLogEntry
from dagster._core.execution.context.system import IPlanContext
from dagster._utils.error import serializable_error_info_from_exc_info

from agentflow_dagster.orchestration.engine_lane.forms import AT, RUN_ID

if TYPE_CHECKING:
    from dagster import DagsterEvent, DagsterLogManager, JobDefinition
    from dagster._core.execution.context.system import PlanData
    from dagster._core.execution.plan.step import IExecutionStep
    from dagster_shared.error import SerializableErrorInfo


class Heard:
    """What events told, as of a run and a time that other values will stand for.

    Args:
        job: The job's name.
    """

    def __init__(self, job: str) -> None:
        self._job = job
        self._entries: list[EventLogEntry] = []

    def last(self) -> EventLogEntry:
        """What was told last; it is not told again."""
        return self._entries.pop()

    def report(self, event: DagsterEvent) -> None:
        """As an instance takes what it is to report."""
        self.log_dagster_event(logging.INFO, "", event)

    def log_dagster_event(
        self,
        level: int,
        msg: str,
        dagster_event: DagsterEvent | None,
        batch_metadata: object = None,
        *,
        step_key: str | None = None,
    ) -> None:
        """As Dagster's log manager takes it; without an event it is a line of log."""
        del batch_metadata
        self._entries.append(
            EventLogEntry(
                error_info=None,
                level=level,
                user_message=msg,
                run_id=RUN_ID,
                timestamp=AT,
                step_key=dagster_event.step_key if dagster_event else step_key,
                job_name=self._job,
                dagster_event=dagster_event,
            )
        )


class RunContext(IPlanContext):
    """As much of Dagster's context of a run as its events ask for."""

    def __init__(self, job: str, heard: Heard) -> None:
        self._job = job
        self._heard = heard

    @property
    def job_name(self) -> str:
        return self._job

    @property
    def log(self) -> DagsterLogManager:
        return cast("DagsterLogManager", self._heard)

    @property
    def plan_data(self) -> PlanData:
        raise NotImplementedError

    @property
    def output_capture(self) -> None:
        raise NotImplementedError


class StepContext:
    """As much of Dagster's context of a step as its events ask for."""

    def __init__(self, job: JobDefinition, step: IExecutionStep, heard: Heard) -> None:
        self.step = step
        self.op = job.get_op(step.node_handle)
        self.job_name = job.name
        self.log = heard
        self.event_tags = {
            "job_name": job.name,
            "op_name": self.op.name,
            "resource_fn_name": "None",
            "resource_name": "None",
            "run_id": RUN_ID,
            "step_key": step.key,
        }


def error_info(problem: BaseException) -> SerializableErrorInfo:
    """An error as Dagster keeps it."""
    try:
        raise problem from problem.__cause__
    except BaseException:  # noqa: BLE001 - it is raised for this alone
        return serializable_error_info_from_exc_info(sys.exc_info())
