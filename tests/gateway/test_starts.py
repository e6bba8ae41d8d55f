"""What is started as it comes in, how much at once, and what is left to the sensor."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.gateway.app import Settings, create_app
from agentflow_dagster.gateway.starts import Starts
from agentflow_dagster.ports.starter import NotStarted
from agentflow_dagster.stores import open_stores
from tests.gateway.conftest import TOKEN, FrontDoor, listening
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from agentflow_dagster.ports.stores import Inbox, InboxEvent
    from agentflow_dagster.stores import Stores


@dataclass
class Held:
    """Starts nothing until it is let go; then settles, or fails as it is told."""

    inbox: Inbox
    failure: Exception | None = None
    begun: list[int] = field(default_factory=list)
    most: int = 0
    at_work: int = 0
    closed: bool = False
    go: threading.Event = field(default_factory=threading.Event)

    async def start(self, event: InboxEvent) -> None:
        self.begun.append(event.id)
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            while not self.go.is_set():  # noqa: ASYNC110 - it is set in another thread
                await asyncio.sleep(0.002)
        finally:
            self.at_work -= 1
        if self.failure is not None:
            raise self.failure
        self.inbox.settle({event.id: f"run-{event.id}"})

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def held(stores: Stores) -> Generator[Held]:
    made = Held(stores.inbox)
    yield made
    made.go.set()


def events(stores: Stores, count: int) -> list[InboxEvent]:
    return [stores.inbox.add("a", "t", {})[0] for _ in range(count)]


def states(stores: Stores, given: Sequence[InboxEvent]) -> list[str]:
    found = [stores.inbox.get(event.id) for event in given]
    return [event.state for event in found if event is not None]


def free(stores: Stores) -> list[int]:
    return [event.id for event in stores.inbox.claim_next("a", "sensor", limit=1000)]


async def until_begun(held: Held, count: int) -> None:
    await asyncio.to_thread(wait_until, lambda: len(held.begun) == count)


async def test_a_few_at_a_time(stores: Stores, held: Held) -> None:
    given = events(stores, 9)
    async with Starts(held, stores.inbox, at_once=3) as starts:
        for event in given:
            starts.soon(event)
        await until_begun(held, 3)
        held.go.set()
        await until_begun(held, 9)
    assert held.most == 3
    assert sorted(held.begun) == [event.id for event in given]
    assert states(stores, given) == ["started"] * 9


async def test_too_many_are_left_to_the_sensor(stores: Stores, held: Held) -> None:
    given = events(stores, 6)
    async with Starts(held, stores.inbox, at_once=1, waiting=2) as starts:
        for event in given:
            starts.soon(event)
        await until_begun(held, 1)
        assert free(stores) == [event.id for event in given[1:]]
        held.go.set()
    assert held.begun == [given[0].id]


async def test_an_event_that_the_sensor_has_is_not_started(stores: Stores, held: Held) -> None:
    held.go.set()
    given = events(stores, 2)
    assert stores.inbox.claim(given[0].id, "sensor")
    async with Starts(held, stores.inbox, at_once=1) as starts:
        for event in given:
            starts.soon(event)
        await until_begun(held, 1)
    assert held.begun == [given[1].id]


@pytest.mark.parametrize(
    ("failure", "released"),
    [(NotStarted("switched off"), True), (RunError("timed out"), False), (OSError("gone"), False)],
)
async def test_what_fails_is_the_sensors(
    stores: Stores, held: Held, failure: Exception, *, released: bool
) -> None:
    """At once where nothing can be under way, else once the claim has run out."""
    held.failure = failure
    held.go.set()
    given = events(stores, 2)
    async with Starts(held, stores.inbox, at_once=1) as starts:
        for event in given:
            starts.soon(event)
        await until_begun(held, 2)
    assert states(stores, given) == ["pending"] * 2
    assert free(stores) == ([event.id for event in given] if released else [])


async def test_the_end_waits_for_what_is_under_way_alone(stores: Stores, held: Held) -> None:
    given = events(stores, 3)
    async with Starts(held, stores.inbox, at_once=1) as starts:
        for event in given:
            starts.soon(event)
        await until_begun(held, 1)
        asyncio.get_running_loop().call_later(0.05, held.go.set)
    assert held.closed
    assert states(stores, given) == ["started", "pending", "pending"]
    assert free(stores) == [event.id for event in given[1:]]


async def test_the_end_does_not_wait_for_ever(stores: Stores, held: Held) -> None:
    given = events(stores, 1)
    async with Starts(held, stores.inbox, end_seconds=0.01) as starts:
        starts.soon(given[0])
        await until_begun(held, 1)
    assert states(stores, given) == ["pending"]
    held.go.set()


@contextmanager
def door(front: FrontDoor, held: Held, artifacts: Path) -> Generator[FrontDoor]:
    """A second front door to the same inbox, which starts what comes in."""
    settings = Settings(
        open_stores=lambda: open_stores(front.database_url, artifacts),
        environment="local",
        token=TOKEN,
        variables={},
        starter=lambda _stores, _routes: held,
    )
    app = create_app(settings)
    with listening(app) as url:
        yield replace(front, app=app, url=url)
        held.go.set()


@pytest.fixture
def door_held(front: FrontDoor) -> Generator[Held]:
    made = Held(front.stores.inbox)
    yield made
    made.go.set()


def test_the_answer_does_not_wait_for_the_start(
    front: FrontDoor, door_held: Held, tmp_path: Path
) -> None:
    with door(front, door_held, tmp_path) as opened:
        ids = [
            opened.call("POST", "/hooks/any/thing", json={}).json()["event_id"] for _ in range(34)
        ]
        wait_until(lambda: door_held.at_work == 32)
        assert not door_held.go.is_set()
        door_held.go.set()
        wait_until(lambda: len(door_held.begun) == len(ids))
    assert sorted(door_held.begun) == ids


def test_the_same_call_a_hundred_times_is_started_once(
    front: FrontDoor, door_held: Held, tmp_path: Path
) -> None:
    door_held.go.set()
    headers = {"Idempotency-Key": "delivered-often"}
    with door(front, door_held, tmp_path) as opened, ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(
                lambda _: opened.call("POST", "/hooks/any/thing", json={}, headers=headers),
                range(100),
            )
        )
        assert {answer.status_code for answer in answers} == {202}
        (event_id,) = {answer.json()["event_id"] for answer in answers}
        wait_until(lambda: bool(door_held.begun))
    assert door_held.begun == [event_id]
    event = front.stores.inbox.get(event_id)
    assert event is not None
    assert (event.state, event.run_id) == ("started", f"run-{event_id}")


async def test_one_agents_burst_holds_up_no_other(stores: Stores, held: Held) -> None:
    burst = events(stores, 5)
    other = stores.inbox.add("b", "t", {})[0]
    urgent = stores.inbox.add("c", "t", {})[0]
    async with Starts(held, stores.inbox, at_once=1) as starts:
        for event in (*burst, other):
            starts.soon(event)
        starts.soon(urgent, priority=1)
        await until_begun(held, 1)
        held.go.set()
        await until_begun(held, 7)
    ids = [event.id for event in burst]
    assert held.begun == [ids[0], urgent.id, ids[1], other.id, *ids[2:]]
