"""Dagster's queue of runs, past which the engine's go where there is room for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dagster._core.run_coordinator import QueuedRunCoordinator

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration.engine_lane.asking import StartRun, ask, engine_socket
from agentflow_dagster.orchestration.lanes import lane_of

if TYPE_CHECKING:
    from dagster import DagsterRun
    from dagster._core.run_coordinator import SubmitRunContext


class LaneCoordinator(QueuedRunCoordinator):
    """Begins a run in the engine at once; queues it where its agent has as many as it may have.

    The daemon looks at the queue once a second.
    """

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        run = context.dagster_run
        path = engine_socket(os.environ)
        if path is not None and lane_of(run) == "engine":
            try:
                begun = ask(path, StartRun(run_id=run.run_id, if_room=True)).done
            except RunError:
                begun = False  # The daemon hands it to whoever is there when its turn comes.
            found = self._instance.get_run_by_id(run.run_id)
            if found is not None and (begun or found.status != run.status):
                return found
        return super().submit_run(context)
