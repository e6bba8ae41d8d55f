"""The one schedule of a project that deletes what is past its age."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster import (
    DefaultScheduleStatus,
    GraphDefinition,
    Nothing,
    OpDefinition,
    Out,
    Output,
    RunRequest,
    ScheduleDefinition,
    SkipReason,
    in_process_executor,
)

from agentflow_dagster.orchestration.op import unannotated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster import JobDefinition, OpExecutionContext, ScheduleEvaluationContext

    from agentflow_dagster.orchestration.retention import Retention

JOB = "agentflow_retention"
_CRON = "23 * * * *"
_SECONDS = 300.0
"""How long one run goes on; the next takes up the rest."""
_LOOK_SECONDS = 5.0
_FILES_AT = 3
"""The hour (UTC) at which a run is asked for even if no run or call has come to its age: files that
crashed runs left are looked for."""


def retention_schedule(retention: Retention) -> ScheduleDefinition:
    """The schedule and its job; on unless somebody switches it off. A tick at which nothing is due
    asks for no run."""

    def tick(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
        at = context.scheduled_execution_time
        due = retention.clear(seconds=_LOOK_SECONDS, dry=True)
        if not due.runs and not due.calls and due.whole and at.hour != _FILES_AT:
            return SkipReason("Nothing is past its age.")
        return RunRequest(run_key=at.isoformat())

    return ScheduleDefinition(
        name=f"{JOB}__hourly",
        job=retention_job(retention),
        cron_schedule=_CRON,
        execution_timezone="UTC",
        execution_fn=tick,
        default_status=DefaultScheduleStatus.RUNNING,
        description="Deletes what is past its age: runs, their values, calls.",
    )


def retention_job(retention: Retention) -> JobDefinition:
    """The job that deletes, for some minutes at most."""

    @unannotated
    def clear(context: OpExecutionContext, inputs: object) -> Iterator[Output[None]]:
        del inputs
        cleared = retention.clear(seconds=_SECONDS)
        told: dict[str, Any] = cleared.to_json()
        if not cleared.whole:
            context.log.warning("There was more than there was time for; the next run goes on.")
        yield Output(None, metadata=told)

    op = OpDefinition(clear, name="clear", ins={}, outs={"result": Out(Nothing)})
    graph = GraphDefinition(f"{JOB}_graph", node_defs=[op])
    return graph.to_job(  # pyright: ignore[reportUnknownMemberType]
        name=JOB,
        description="Deletes what is past its age.",
        executor_def=in_process_executor,
    )
