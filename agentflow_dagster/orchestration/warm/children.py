"""What the warm parent's children do: carry out a run, serve agents, tell of how runs ended."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from dagster import DagsterRunStatus
from dagster._cli.api import (
    _execute_run_command_body,  # pyright: ignore[reportPrivateUsage]
    api_cli,
)
from dagster._utils.interrupts import capture_interrupts

from agentflow_dagster.orchestration.location import ONE_JOB
from agentflow_dagster.orchestration.names import LOCATION_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dagster import DagsterInstance

    from agentflow_dagster.orchestration.warm.asking import CarryOut, Serve


def carry_out(asked: CarryOut, instance: DagsterInstance) -> int:
    """Carries out a run as `dagster api execute_run` does; 0 once Dagster knows how it ended."""
    os.environ[LOCATION_VARIABLE] = asked.location
    ONE_JOB.set(asked.job)
    with capture_interrupts(), instance:
        _execute_run_command_body(
            asked.run_id, instance, lambda _: None, set_exit_code_on_failure=False
        )
        run = instance.get_run_by_id(asked.run_id)
        return 0 if run is None or run.is_finished else 1


def serve(asked: Serve) -> int:
    """Serves a code location until it is told to stop."""
    os.environ[LOCATION_VARIABLE] = asked.location
    sys.argv = ["dagster", "api", "grpc", *asked.arguments]
    api_cli.main(["grpc", *asked.arguments], standalone_mode=False)
    return 0


def report_ended(run_ids: Sequence[str], explanation: str, instance: DagsterInstance) -> int:
    """Tells Dagster of runs whose process is gone: those that were to be canceled are, the others
    have failed."""
    with instance:
        for run_id in run_ids:
            run = instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                continue
            message = f"The process of run {run_id} {explanation}"
            if run.status == DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, message)
            else:
                instance.report_run_failed(run, message)
    return 0
