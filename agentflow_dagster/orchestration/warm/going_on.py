"""Whether a run whose process is gone goes on, or has ended with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagster import DagsterEventType, DagsterRunStatus

from agentflow_dagster.orchestration.names import KIND_TAG

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

MOST = 3
"""How often a run goes on before one of its steps ends: it may be what kills its process."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run's process ended.

    Args:
        explanation: What is told after "The process of run …".
        stopped: Whether it was not for anything that the run did: whoever had started it stopped.
    """

    explanation: str
    stopped: bool = False


def settled(run: DagsterRun, ending: Ending, instance: DagsterInstance) -> bool:
    """Notes in the run's record that it goes on, or that it has ended; whether it has ended.

    Args:
        run: The run, which has not ended as far as Dagster knows.
        ending: How its process did.
        instance: Where runs are recorded.
    """
    from dagster._daemon.monitoring import RESUME_RUN_LOG_MESSAGE

    message = f"The process of run {run.run_id} {ending.explanation}"
    if run.status == DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
        return True
    most = _most(run, instance)
    if not ending.stopped or not most:
        times = _times(run, instance, RESUME_RUN_LOG_MESSAGE)
        if times >= most:
            told = f" It has gone on {times} times without a step that ended." if times else ""
            instance.report_run_failed(run, message + told)
            return True
    instance.report_engine_event(message, run)
    if not ending.stopped:
        instance.report_engine_event(RESUME_RUN_LOG_MESSAGE, run)
    return False


def _most(run: DagsterRun, instance: DagsterInstance) -> int:
    """Runs of agents go on; of others Dagster's settings say whether they do, which they do not by
    themselves: their steps have not said that they may be done twice."""
    if is_of_agents(run, instance):
        return MOST
    return instance.run_monitoring_max_resume_run_attempts


def is_of_agents(run: DagsterRun, instance: DagsterInstance) -> bool:
    """Whether every step of a run is an agent's node."""
    told = run.execution_plan_snapshot_id
    plan = instance.get_execution_plan_snapshot(told) if told is not None else None
    return plan is not None and all(KIND_TAG in (step.tags or {}) for step in plan.steps)


def _times(run: DagsterRun, instance: DagsterInstance, message: str) -> int:
    """How often the run has gone on since a step of it has ended."""
    wanted = {DagsterEventType.ENGINE_EVENT, DagsterEventType.STEP_SUCCESS}
    times = 0
    for entry in reversed(instance.all_logs(run.run_id, of_type=wanted)):
        if entry.dagster_event_type == DagsterEventType.STEP_SUCCESS:
            break
        times += entry.message == message
    return times
