"""Goes on, in one process, with a run whose process is gone.

Dagster's in-process executor begins such a run at its first step again. This one reads back what
became of the steps, as those of Dagster's executors do that have a process for each: what has ended
is not done again; a step that was under way is attempted again, and that is one of its attempts.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from dagster import DagsterEvent, DagsterEventType
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.execute_plan import inner_plan_execution_iterator
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.executor.in_process import InProcessExecutor
from dagster._utils.timing import time_execution_scope
from dagster_shared.utils.timing import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dagster import DagsterInstance
    from dagster._core.execution.context.system import (
        PlanExecutionContext,
        PlanOrchestrationContext,
    )

    from agentflow_dagster.stores import Stores

_BEGAN = frozenset({DagsterEventType.STEP_START, DagsterEventType.STEP_RESTARTED})
_ENDED = frozenset({DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE})
_TOLD = {
    *_BEGAN,
    *_ENDED,
    DagsterEventType.STEP_OUTPUT,
    DagsterEventType.STEP_SKIPPED,
    DagsterEventType.STEP_UP_FOR_RETRY,
    DagsterEventType.RUN_SUSPENDED,
}


class ResumingExecutor(InProcessExecutor):
    """Dagster's in-process executor, which can also go on with a run."""

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Executes the steps that have not ended."""
        goes_on = plan_context.resume_from_failure
        past = _past(plan_context.instance, plan_context.run_id) if goes_on else []
        here = EngineEventData.in_process(os.getpid(), execution_plan.step_keys_to_execute)
        which = "the steps that have not ended" if goes_on else "steps"
        told = f"Executing {which} in process (pid: {os.getpid()})"
        yield DagsterEvent.engine_event(plan_context, told, event_specific_data=here)
        # They are in the record: it is for whoever looks at these events to fail the run.
        yield from (event for event in past if event.is_step_failure)
        with time_execution_scope() as timer:
            yield from ExecuteRunWithPlanIterable(
                execution_plan=execution_plan,
                iterator=partial(_execute, past=past),
                execution_context_manager=PlanExecutionContextManager(
                    job=plan_context.job,
                    retry_mode=plan_context.retry_mode,
                    execution_plan=execution_plan,
                    run_config=plan_context.run_config,
                    dagster_run=plan_context.dagster_run,
                    instance=plan_context.instance,
                    raise_on_error=plan_context.raise_on_error,
                    output_capture=plan_context.output_capture,
                    step_dependency_config=self.step_dependency_config,
                ),
            )
        took = format_duration(timer.millis)
        told = f"Finished steps in process (pid: {os.getpid()}) in {took}"
        yield DagsterEvent.engine_event(plan_context, told, event_specific_data=here)


def _past(instance: DagsterInstance, run_id: str) -> list[DagsterEvent]:
    entries = instance.all_logs(run_id, of_type=_TOLD)
    return [entry.dagster_event for entry in entries if entry.dagster_event is not None]


def _execute(
    job_context: PlanExecutionContext, execution_plan: ExecutionPlan, *, past: list[DagsterEvent]
) -> Iterator[DagsterEvent]:
    if past:
        _take_over_calls(job_context)
    with InstanceConcurrencyContext(job_context.instance, job_context.dagster_run) as limits:
        plan = _PlanWithPast._make(execution_plan)
        plan.past = past
        yield from inner_plan_execution_iterator(job_context, plan, limits)


def _take_over_calls(job_context: PlanExecutionContext) -> None:
    """Calls of models that were open in the process that is gone count as lost, at their bound."""
    builder = job_context.scoped_resources_builder
    if "stores" in builder.resource_instance_dict:
        resources: Any = builder.build({"stores"})
        stores: Stores = resources.stores.open()
        asyncio.run(stores.ledger.take_over(job_context.run_id))


def _attempts(past: Sequence[DagsterEvent]) -> Counter[str]:
    """How often each step has been attempted; one in which the run was put away goes on."""
    began: Counter[str] = Counter()
    at = ""
    for event in past:
        if event.event_type in _BEGAN:
            at = str(event.step_key)
            began[at] += 1
        elif event.event_type == DagsterEventType.RUN_SUSPENDED:
            began[at] -= 1
    return began


class _PlanWithPast(ExecutionPlan):
    """A plan that begins where a run has come to."""

    past: Sequence[DagsterEvent]

    def start(self, *args: Any, **how: Any) -> ActiveExecution:
        return _GoingOn(self, self.past, *args, **how)


class _GoingOn(ActiveExecution):
    """Where the execution of a plan has come to.

    Args:
        plan: The plan.
        past: What became of its steps, in its order.
        args, how: As Dagster's own has them.
    """

    def __init__(
        self, plan: ExecutionPlan, past: Sequence[DagsterEvent], *args: Any, **how: Any
    ) -> None:
        super().__init__(plan, *args, **how)
        self._past = past

    def __enter__(self) -> Self:
        super().__enter__()
        last = {
            str(event.step_key): event for event in self._past if not event.is_successful_output
        }
        for event in self._past:
            self._take_in(event)
        for event in last.values():
            if event.event_type == DagsterEventType.STEP_UP_FOR_RETRY:
                self.handle_event(event)  # It waits as long again as it was to wait.
        began = _attempts(self._past)
        for key, attempts in began.items():
            for _ in range(attempts - self.retry_state.get_attempt_count(key)):
                self.retry_state.mark_attempt(key)
        order = [step.key for step in self._plan.get_steps_to_execute_in_topo_order()]
        self._executable += [key for key in order if key in self._in_flight]
        self._in_flight.clear()
        return self

    def _take_in(self, event: DagsterEvent) -> None:
        self.get_steps_to_execute()  # All that could have begun by now count as under way.
        key = str(event.step_key)
        if event.event_type == DagsterEventType.STEP_SKIPPED:
            self._pending_skip.remove(key)
            self._skipped.add(key)
        elif event.event_type in _ENDED or event.is_successful_output:
            self.handle_event(event)

    def concurrency_event_iterator(
        self, plan_context: PlanExecutionContext | PlanOrchestrationContext
    ) -> Iterator[DagsterEvent]:
        # Dagster's loop looks only after a step for what is to be skipped or given up, and for the
        # latter last: what is to be skipped because of that it would wait for, at full speed and
        # for ever, where no step is left to be executed. And here it may be the first that comes.
        yield from self.plan_events_iterator(plan_context)
        yield from super().concurrency_event_iterator(plan_context)
