"""Cancels a run, wherever it is at work, or waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agentflow_dagster.errors import RunError, UsageError
from agentflow_dagster.operations.announcement import found_running

if TYPE_CHECKING:
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.orchestration.client import DagsterClient

_LOOK_SECONDS = 0.1
_PATIENCE_SECONDS = 30.0


def cancel_run(project: Project, run_id: str) -> str:
    """Has Dagster stop a run, and waits until it has; the status that it has then.

    Raises:
        UsageError: the project is not up, or the run has ended.
        RunError: there is no such run, or it goes on.
    """
    running = found_running(project)
    if running is None:
        raise UsageError("The project is not up.", hint="Start it: agentflow up")
    import httpx

    from agentflow_dagster.orchestration.client import DagsterClient

    with httpx.Client(timeout=60) as http:
        return cancel_with(DagsterClient(running["dagster"], http), run_id)


def cancel_with(client: DagsterClient, run_id: str) -> str:
    """As `cancel_run`, by a webserver.

    Raises:
        UsageError: the run has ended.
        RunError: there is no such run, or it goes on.
    """
    from agentflow_dagster.orchestration.client import FINISHED

    status = client.run(run_id)["status"]
    if status in FINISHED:
        raise UsageError(f"Run {run_id} has ended: {status}.")
    client.terminate(run_id)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (status := client.run(run_id)["status"]) not in FINISHED:
        if time.monotonic() > deadline:
            raise RunError(f"Run {run_id} goes on: {status}.", hint=client.run_url(run_id))
        time.sleep(_LOOK_SECONDS)
    return status
