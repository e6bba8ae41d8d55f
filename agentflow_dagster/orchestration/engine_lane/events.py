"""The events of one version's runs, as Dagster's own executor tells them."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from dagster import AssetKey, AssetMaterialization, DagsterEvent, DagsterEventType
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import EngineEventData, RunFailureReason
from dagster._core.execution.plan.objects import (
    ErrorSource,
    StepFailureData,
    StepRetryData,
    StepSuccessData,
    TypeCheckData,
    UserFailureData,
)
from dagster._core.execution.plan.outputs import StepOutputData, StepOutputHandle
from dagster._core.execution.plan.utils import RetryRequestedFromPolicy
from dagster_shared.utils.timing import format_duration

from agentflow_dagster.orchestration import shown
from agentflow_dagster.orchestration.engine_lane.contexts import (
    Heard,
    RunContext,
    StepContext,
    error_info,
)
from agentflow_dagster.orchestration.engine_lane.forms import (
    METADATA,
    TAGS,
    TOOK,
    Form,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dagster import Failure, JobDefinition
    from dagster._core.execution.plan.plan import ExecutionPlan

    from agentflow_dagster.errors import RunError


class Events:
    """Forms of events; those of every run are made once.

    Args:
        job: The version's job.
        execution_plan: Dagster's steps.
        planned: What Dagster announces of a run.
    """

    def __init__(
        self, job: JobDefinition, execution_plan: ExecutionPlan, planned: Sequence[DagsterEvent]
    ) -> None:
        self._heard = Heard(job.name)
        # Dagster asks for contexts of its own class, and uses this much of them.
        self._run: Any = RunContext(job.name, self._heard)
        self._steps: dict[str, Any] = {
            step.key: StepContext(job, step, self._heard)
            for step in execution_plan.get_all_steps_in_topo_order()
        }
        self._keys = execution_plan.step_keys_to_execute
        self._made: dict[tuple[str, ...], Form] = {}
        self.planned = tuple(self._reported(event) for event in planned)

    def run_starting(self) -> Form:
        """As `DagsterInstance.launch_run` tells it."""
        event = DagsterEvent(DagsterEventType.RUN_STARTING.value, self._run.job_name)
        return self._once(lambda: self._heard.report(event), "run_starting")

    def run_started(self) -> Form:
        return self._once(lambda: DagsterEvent.job_start(self._run), "run_started")

    def executing(self) -> Form:
        told = f"Executing steps in process (pid: {os.getpid()})"
        return self._once(lambda: self._engine(told), "executing")

    def resumed(self) -> Form:
        told = f"The process that carried it out is gone; it goes on here (pid: {os.getpid()})"
        return self._once(lambda: self._engine(told), "resumed")

    def run_suspended(self, told: str) -> Form:
        """The run waits, and nothing of it is at work."""
        DagsterEvent.job_suspended(self._run, told)
        return self._form()

    def run_resumed(self) -> Form:
        return self._once(lambda: DagsterEvent.job_resumed(self._run), "run_resumed")

    def executed(self) -> Form:
        """Wants `took`."""

        def tell() -> None:
            took = format_duration(TOOK)
            self._engine(f"Finished steps in process (pid: {os.getpid()}) in {took}")

        return self._once(tell, "executed")

    def run_succeeded(self) -> Form:
        return self._once(lambda: DagsterEvent.job_success(self._run), "run_succeeded")

    def run_failed(self, failed: Sequence[str], first: DagsterEvent) -> Form:
        """Steps failed; `first` is how the first of them did."""
        DagsterEvent.job_failure(
            self._run,
            f"Steps failed: {list(failed)}.",
            failure_reason=RunFailureReason.STEP_FAILURE,
            first_step_failure_event=first,
        )
        return self._form()

    def run_broken(self, problem: BaseException) -> Form:
        """The engine itself failed."""
        DagsterEvent.job_failure(
            self._run,
            "The engine could not go on with it.",
            failure_reason=RunFailureReason.UNKNOWN,
            error_info=error_info(problem),
        )
        return self._form()

    def run_canceled(self) -> Form:
        return self._once(lambda: DagsterEvent.job_canceled(self._run), "run_canceled")

    def started(self, key: str) -> Form:
        side = self._steps[key]
        return self._once(lambda: DagsterEvent.step_start_event(side), "started", key)

    def restarted(self, key: str, attempts: int) -> Form:
        """After so many attempts."""
        DagsterEvent.step_restarted_event(self._steps[key], attempts)
        return self._form()

    def output(self, key: str, name: str) -> Form:
        """Wants `metadata`."""

        def tell() -> None:
            handle, checked = StepOutputHandle(key, name), TypeCheckData(success=True, label=name)
            data = StepOutputData(handle, checked, metadata=METADATA)
            DagsterEvent.step_output_event(self._steps[key], data)

        return self._once(tell, "output", key, name)

    def made(self, key: str, asset: AssetKey) -> Form:
        """Wants `metadata` and `tags`."""

        def tell() -> None:
            made = AssetMaterialization(asset, metadata=METADATA, tags=TAGS)
            DagsterEvent.asset_materialization(self._steps[key], made)

        return self._once(tell, "made", key)

    def succeeded(self, key: str) -> Form:
        """Wants `took` and `duration`."""
        side = self._steps[key]
        return self._once(
            lambda: DagsterEvent.step_success_event(side, StepSuccessData(duration_ms=TOOK)),
            *("succeeded", key),
        )

    def skipped(self, key: str) -> Form:
        side = self._steps[key]
        return self._once(lambda: DagsterEvent.step_skipped_event(side), "skipped", key)

    def again(self, key: str, attempt: int, problem: RunError, delay: float) -> Form:
        """An attempt failed, and there is another in `delay` seconds."""
        asked = RetryRequestedFromPolicy(max_retries=attempt, seconds_to_wait=delay)
        asked.__cause__ = shown.failure(problem, last=False)
        DagsterEvent.step_retry_event(self._steps[key], StepRetryData(error_info(asked), delay))
        return self._form()

    def failed(self, key: str, problem: Failure) -> tuple[Form, DagsterEvent]:
        """A step failed for good."""
        told = UserFailureData("intentional-failure", problem.description, problem.metadata)
        return self._failure(key, StepFailureData(error_info(problem), told))

    def interrupted(self, key: str) -> tuple[Form, DagsterEvent]:
        """A step was at work when its run was canceled."""
        problem = error_info(DagsterExecutionInterruptedError())
        return self._failure(key, StepFailureData(problem, None, ErrorSource.INTERRUPT))

    def expectation(self, key: str, problem: RunError) -> Form:
        """A step's failure was handled."""
        DagsterEvent.step_expectation_result(self._steps[key], shown.expectation(problem))
        return self._form()

    def line(self, key: str, message: str, *, level: int = logging.INFO) -> Form:
        """A step's line of log."""
        self._heard.log_dagster_event(level, message, None, step_key=key)
        return self._form()

    def _engine(self, message: str) -> None:
        data = EngineEventData.in_process(os.getpid(), self._keys)
        DagsterEvent.engine_event(self._run, message, event_specific_data=data)

    def _failure(self, key: str, data: StepFailureData) -> tuple[Form, DagsterEvent]:
        event: Any = DagsterEvent
        told = event.step_failure_event(self._steps[key], data)
        return self._form(), told

    def _once(self, tell: Callable[[], object], *name: str) -> Form:
        if name not in self._made:
            tell()
            self._made[name] = self._form()
        return self._made[name]

    def _reported(self, event: DagsterEvent) -> Form:
        self._heard.report(event)
        return self._form()

    def _form(self) -> Form:
        return Form.of(self._heard.last())
