"""The front door is killed between a call and its run: what it acknowledged has its run, once, and
a call that is made again with its key is not another."""

from __future__ import annotations

import multiprocessing
import signal
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from dagster import build_sensor_context
from dagster._core.errors import DagsterRunAlreadyExists

from agentflow_dagster.operations.components import free_ports
from agentflow_dagster.orchestration.engine_lane.asking import StartRun, ask
from tests.faults import front_door_process
from tests.faults.front_door_process import HOST, TOKEN, FrontDoorDeath, Place
from tests.faults.test_engine_dies import TRANSFER, of_each_run
from tests.orchestration.bench import QUIET
from tests.orchestration.claims import end_claims
from tests.support.at_once import at_once
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator
    from multiprocessing.context import ForkServerProcess

    from tests.faults.ledger import Ledger
    from tests.faults.rig import Rig

pytestmark = pytest.mark.fault

FEW = 10
WEBHOOK = TRANSFER.replace(
    "  config:",
    '  triggers: {calls: {webhook: {path: /transfer}, input: {n: "{{int(event.body.n)}}"}}}\n'
    "  config:",
)
DEATHS = [
    FrontDoorDeath("before", "accepted"),
    FrontDoorDeath("after", "accepted"),
    FrontDoorDeath("before", "begun", 3),
    FrontDoorDeath("after", "begun", 3),
]


@contextmanager
def front_door(
    rig: Rig, ledger: Ledger, death: FrontDoorDeath | None = None
) -> Generator[tuple[str, ForkServerProcess]]:
    """A front door, and where it takes calls."""
    (port,) = free_ports(1)
    bench = rig.bench
    place = Place(
        *(bench.database_url, str(bench.artifacts), str(rig.socket), port),
        variables=ledger.variables,
        death=death,
    )
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=front_door_process.main, args=(place,))
    process.start()
    try:
        wait_until(lambda: answers(port))
        yield f"http://{HOST}:{port}/hooks/transfer", process
    finally:
        process.kill()
        process.join()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def call_all(url: str, numbers: list[int]) -> set[int]:
    """Calls for each number at once, with a key of its own; those that were acknowledged."""

    def one(place: int) -> bool:
        number = numbers[place]
        headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": str(number)}
        try:
            told = httpx.post(url, json={"n": number}, headers=headers, timeout=30)
        except httpx.TransportError:
            return False
        return told.status_code == 202

    done = at_once(one, len(numbers)) if numbers else []
    return {number for number, told in zip(numbers, done, strict=True) if told}


def catch_up(rig: Rig) -> int:
    """What the daemon does with what the agent's sensor finds, once claims have run out; how much
    it was."""
    bench = rig.bench
    end_claims(bench)
    sensor = bench.repository.get_sensor_def("transfer__events")
    with build_sensor_context(
        bench.instance, resources=bench.resources, repository_def=bench.repository
    ) as context:
        requests = sensor.evaluate_tick(context).run_requests or []
    for request in requests:
        key = {"dagster/run_key": str(request.run_key), "dagster/sensor_name": sensor.name}
        definition = bench.repository.get_job("transfer_job")
        try:
            run = bench.instance.create_run_for_job(
                definition,
                run_config={**request.run_config, "loggers": QUIET},
                tags={**definition.run_tags, **request.tags, **key},
            )
        except DagsterRunAlreadyExists:
            continue  # The front door was faster.
        assert ask(str(rig.socket), StartRun(run_id=run.run_id)).done
    return len(requests)


def test_each_call_has_one_run(rig: Rig, ledger: Ledger) -> None:
    rig.bench.version(WEBHOOK, deploy=True)
    rig.bench.serve(WEBHOOK)
    rig.start()
    acknowledged: set[int] = set()
    for number, death in enumerate(DEATHS):
        with front_door(rig, ledger, death) as (url, process):
            acknowledged |= call_all(url, list(range(number * FEW, (number + 1) * FEW)))
            process.join(30)
            assert process.exitcode == -signal.SIGKILL, death
    inbox, instance = rig.bench.stores.inbox, rig.bench.instance
    numbers = range(len(DEATHS) * FEW)
    again = [number for number in numbers if number not in acknowledged]
    with front_door(rig, ledger) as (url, _):
        assert call_all(url, again) == set(again)
        catch_up(rig)
        rig.until_ended(len(numbers))
    assert catch_up(rig) == 0
    assert inbox.count_pending(most=1) == 0
    assert ledger.entries("/debit") == ledger.entries("/credit") == Counter(numbers)
    assert ledger.calls("/debit").total() == len(numbers)
    told = of_each_run(rig)
    runs = [run.run_id for run in instance.get_runs()]
    assert {told[run, "PIPELINE_START"] for run in runs} == {1}
    assert {told[run, "PIPELINE_SUCCESS"] for run in runs} == {1}
