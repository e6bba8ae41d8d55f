"""The executor of agents' jobs: Dagster's in-process one, which can also go on with a run.

To Dagster it is its own: runs, the launchpad and the snapshots of jobs say the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dagster import executor, in_process_executor
from dagster._core.definitions.executor_definition import IN_PROC_CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable

    from dagster import Executor, InitExecutorContext
    from dagster._core.executor.in_process import InProcessExecutor

_create = cast(
    "Callable[[InitExecutorContext], InProcessExecutor]", in_process_executor.executor_creation_fn
)


@executor(name=in_process_executor.name, config_schema=IN_PROC_CONFIG)
def resuming_executor(context: InitExecutorContext) -> Executor:
    """Executes all steps in one process; one whose process is gone may be gone on with."""
    from agentflow_dagster.orchestration.resumed_execution import ResumingExecutor

    made = _create(context)
    return ResumingExecutor(made.retries, made.step_dependency_config, made.marker_to_close)
