"""PostgreSQL is killed under many runs, and comes back: nothing that was acknowledged is lost."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration.warm.children import carry_out, go_on
from agentflow_dagster.orchestration.warm.going_on import Ending
from tests.conformance import process_lane
from tests.faults.own_store import OwnStore
from tests.faults.rig import Rig
from tests.faults.test_engine_dies import MANY, TRANSFER, assert_done_once, of_each_run
from tests.faults.test_run_process_dies import Death, dying
from tests.orchestration.conftest import new_bench

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from agentflow_dagster.ports.stores import InboxEvent
    from tests.faults.ledger import Ledger

pytestmark = pytest.mark.fault

TWO = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: two}
spec:
  inputs: {type: object, properties: {n: {type: integer}}}
  config: {maxConcurrentExecutions: 10000}
  nodes:
    one: {kind: ai.chat, with: {prompt: "{{string(input.n)}}"}}
    two: {kind: ai.chat, with: {prompt: "{{one.output.text}}"}}
"""
EVERY_SECONDS = 5.0


@pytest.fixture
def store(open_folder: Path) -> Generator[OwnStore]:
    made = OwnStore(open_folder / "faults")
    yield made
    made.close()


@pytest.fixture
def rig(store: OwnStore, ledger: Ledger, tmp_path: Path) -> Generator[Rig]:
    for bench in new_bench(store.url, "template1", tmp_path):
        made = Rig(bench, tmp_path / "engine", ledger.variables)
        yield made
        made.close()


@pytest.mark.parametrize("seconds", [5, pytest.param(30, marks=pytest.mark.soak)])
def test_it_is_down_for_some_time(
    rig: Rig, store: OwnStore, ledger: Ledger, seconds: float
) -> None:
    rig.bench.serve(TRANSFER)
    events = rig.events("transfer", [{"n": number} for number in range(MANY)])
    before, meanwhile = events[: MANY // 2], events[MANY // 2 :]
    engine = rig.start()
    assert rig.begin_all(before) == {event.id for event in before}
    with ThreadPoolExecutor() as aside:
        going = aside.submit(store.down, seconds)
        told = aside.submit(rig.begin_all, meanwhile)
        going.result()
        acknowledged = told.result()
    assert {event.id for event in rig.without_run(events)}.isdisjoint(acknowledged)
    rig.begin_all(rig.without_run(events))
    rig.until_ended(MANY)
    assert engine.is_alive()
    assert_done_once(rig, ledger, events)


@pytest.mark.soak
def test_a_run_in_a_process_of_its_own(rig: Rig, store: OwnStore, ledger: Ledger) -> None:
    """The process ends without the database, and so does the next; one after that goes on."""
    bench = rig.bench
    bench.serve(TRANSFER)
    bench.secrets.variables.update(ledger.variables)
    run = process_lane.create(bench, "transfer", {"n": 0})
    work = partial(carry_out, process_lane.asked_for(run))
    # The first output is the run's input, the second that of a call that has been made.
    gone = dying(Death("before", "output", 2), work, act=store.kill)
    assert process_lane.in_own_process(bench, gone) != 0
    next_ = partial(go_on, run.run_id, Ending("ended."))
    assert process_lane.in_own_process(bench, next_) != 0
    store.start()
    assert process_lane.in_own_process(bench, next_) == 0
    assert bench.ran(run.run_id).status == "SUCCESS"
    assert ledger.entries("/debit") == ledger.entries("/credit") == Counter({0: 1})
    assert ledger.calls("/debit").total() == 2


@pytest.mark.soak
def test_it_restarts_again_and_again(rig: Rig, store: OwnStore) -> None:
    """5,000 runs, and not one more or less."""
    rig.bench.serve(TWO)
    events = rig.events("two", [{"n": number} for number in range(5_000)])
    engine = rig.start()
    done = threading.Event()

    def restart_often() -> int:
        times = 0
        while not done.wait(EVERY_SECONDS):
            store.restart() if times % 2 else store.down(0)
            times += 1
        return times

    def begin(event: InboxEvent) -> None:
        """Asks until the start is acknowledged, or the event is found to have its run."""
        while True:
            try:
                if rig.begin(event).done:
                    return
            except RunError as problem:
                if "has its run" in str(problem):
                    return

    with ThreadPoolExecutor(100) as clients, ThreadPoolExecutor(1) as aside:
        restarting = aside.submit(restart_often)
        try:
            list(clients.map(begin, events))
            rig.until_ended(len(events), seconds=240)
        finally:
            done.set()
    assert restarting.result() > 1
    assert engine.is_alive()
    told = of_each_run(rig)
    runs = {str(rig.run_of(event)) for event in events}
    assert len(runs) == len(events) == rig.bench.instance.get_runs_count()
    for kind, each in {"PIPELINE_START": 1, "STEP_SUCCESS": 2, "PIPELINE_SUCCESS": 1}.items():
        assert {run: told[run, kind] for run in runs} == dict.fromkeys(runs, each), kind
