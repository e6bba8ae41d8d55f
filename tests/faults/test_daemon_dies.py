"""The daemon is killed while it launches queued runs: each is launched, and none twice."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest
from dagster import DagsterEvent, DagsterInstance, DagsterRunStatus
from dagster._core.test_utils import in_process_test_workspace
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import (
    QueuedRunCoordinatorDaemon,
)

from agentflow_dagster.orchestration.engine_lane.asking import SOCKET_VARIABLE
from agentflow_dagster.orchestration.instance import write_instance
from agentflow_dagster.orchestration.launcher import LaneLauncher
from agentflow_dagster.orchestration.left_launches import launched, runs_left
from agentflow_dagster.orchestration.run_config import run_config
from tests.conformance import process_lane
from tests.faults.test_engine_dies import TRANSFER, of_each_run
from tests.orchestration import served
from tests.orchestration.bench import QUIET, loading

if TYPE_CHECKING:
    from collections.abc import Generator

    from dagster import DagsterRun
    from dagster._core.launcher.base import LaunchRunContext

    from tests.faults.ledger import Ledger
    from tests.faults.rig import Rig

pytestmark = pytest.mark.fault

MANY = 6


@dataclass(frozen=True)
class Daemon:
    """What Dagster's daemon has of its process.

    Args:
        instance: With a queue.
        workspace: Where runs are of.
    """

    instance: DagsterInstance
    workspace: Any

    def create_request_context(self) -> Any:
        return self.workspace

    def look(self) -> None:
        """Takes runs out of the queue, and launches them."""
        for _ in QueuedRunCoordinatorDaemon(interval_seconds=1).run_iteration(self):  # type: ignore[arg-type]
            pass


@contextmanager
def daemon(rig: Rig, instance: DagsterInstance) -> Generator[Daemon]:
    served.at_work[:] = [rig.bench]
    origin = LoadableTargetOrigin(module_name=served.__name__, attribute="defs")
    with loading(), in_process_test_workspace(instance, origin) as workspace:
        yield Daemon(instance, workspace)


def queued(rig: Rig) -> list[DagsterRun]:
    """Runs in the queue, as the webserver puts them there."""
    bench = rig.bench
    with daemon(rig, bench.instance) as there:
        (location,) = there.workspace.code_locations
        (repository,) = location.get_repositories().values()
        origin = repository.get_full_job("transfer_job").get_remote_origin()
    definition = bench.repository.get_job("transfer_job")
    runs = [
        bench.instance.create_run_for_job(
            definition,
            run_config={**run_config("transfer", {"n": n}), "loggers": QUIET},
            tags=dict(definition.run_tags),
            remote_job_origin=origin,
        )
        for n in range(MANY)
    ]
    for run in runs:
        bench.instance.report_dagster_event(DagsterEvent.job_enqueue(run), run.run_id)
    return runs


def dying_daemon(rig: Rig, when: Literal["before", "after"], number: int) -> int | None:
    """A daemon that dies at so manieth launch; how it ended."""
    home = write_instance(rig.bench.artifacts.parent, queued=True)
    launch, left, lock = LaneLauncher.launch_run, [number], threading.Lock()

    def reached(at: str) -> None:
        with lock:
            left[0] -= at == when
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def launch_and_die(self: LaneLauncher, context: LaunchRunContext) -> None:
        reached("before")
        launch(self, context)
        reached("after")

    def work(_: DagsterInstance) -> int:
        LaneLauncher.launch_run = launch_and_die
        with DagsterInstance.from_config(str(home)) as instance, daemon(rig, instance) as doomed:
            doomed.look()
        return 0

    return process_lane.in_own_process(rig.bench, work)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, pytest.param(MANY // 2, marks=pytest.mark.soak)])
def test_the_next_one_launches_what_it_left(
    rig: Rig,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    when: Literal["before", "after"],
    number: int,
) -> None:
    rig.bench.serve(TRANSFER)
    runs = queued(rig)
    monkeypatch.setenv(SOCKET_VARIABLE, str(rig.socket))
    rig.start()
    assert dying_daemon(rig, when, number) == -signal.SIGKILL
    home = write_instance(rig.bench.artifacts.parent, queued=True)
    with DagsterInstance.from_config(str(home)) as instance, daemon(rig, instance) as following:
        left = runs_left(instance)
        assert when == "after" or left
        assert all(launched(following.workspace, run_id) for run_id in left)
        following.look()
    rig.until_ended(MANY)
    assert ledger.entries("/debit") == ledger.entries("/credit") == Counter(range(MANY))
    assert ledger.calls("/debit").total() == MANY
    told = of_each_run(rig)
    for run in runs:
        assert rig.bench.ran(run.run_id).run.status == DagsterRunStatus.SUCCESS
        assert told[run.run_id, "PIPELINE_START"] == told[run.run_id, "PIPELINE_SUCCESS"] == 1
