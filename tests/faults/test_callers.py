"""Who asks for a run gives up waiting, or asks again: there is one run."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from dagster import DagsterRunStatus

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration.engine_lane.asking import StartRun, ask
from agentflow_dagster.orchestration.storage import EVENT_ORDER
from tests.faults.test_engine_dies import TRANSFER, assert_done_once
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.faults.ledger import Ledger
    from tests.faults.rig import Rig

pytestmark = pytest.mark.fault


@contextmanager
def nothing_commits(rig: Rig) -> Generator[None]:
    """Whoever writes events waits for as long as the block lasts."""
    engine = sa.create_engine(rig.bench.database_url)
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(EVENT_ORDER)))
        yield
    engine.dispose()


def test_a_start_that_comes_about_after_its_caller_gave_up(rig: Rig, ledger: Ledger) -> None:
    rig.bench.serve(TRANSFER)
    events = rig.events("transfer", [{"n": 0}])
    rig.start()
    with nothing_commits(rig):
        with pytest.raises(RunError, match="timed out"):
            rig.begin(events[0], patience_seconds=1)
        assert rig.run_of(events[0]) is None
    wait_until(lambda: rig.run_of(events[0]))
    with pytest.raises(RunError, match="has its run"):
        rig.begin(events[0])
    rig.until_ended(1)
    assert_done_once(rig, ledger, events)


def test_a_launch_that_comes_about_after_its_caller_gave_up(rig: Rig, ledger: Ledger) -> None:
    rig.bench.serve(TRANSFER)
    run = rig.bench.prepare("transfer", {"n": 0})
    start = StartRun(run_id=run.run_id)
    rig.start()
    with nothing_commits(rig):
        for _ in range(2):
            with pytest.raises(RunError, match="timed out"):
                ask(str(rig.socket), start, patience_seconds=1)
    rig.until_ended(1)
    with pytest.raises(RunError, match="is SUCCESS"):
        ask(str(rig.socket), start)
    assert rig.bench.ran(run.run_id).run.status == DagsterRunStatus.SUCCESS
    assert len(ledger.calls("/debit")) == ledger.calls("/debit").total() == 1
