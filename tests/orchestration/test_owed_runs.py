"""An event has one run, however many make it, and whatever happens between claim and run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterRun, DagsterRunStatus, build_sensor_context
from dagster._core.errors import DagsterRunAlreadyExists

from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.event_run import sensor_tags
from agentflow_dagster.ports.stores import InboxEvent
from tests.orchestration.claims import end_claims

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster import RunRequest

    from tests.orchestration.bench import Bench

DESK = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: help-desk}
spec:
  inputs: {type: object, required: [body], properties: {body: {type: string}}}
  triggers:
    tickets: {webhook: {path: /tickets}, input: {body: "{{event.body}}"}}
  nodes:
    answer: {kind: ai.chat, with: {prompt: "{{input.body}}"}}
"""
DOOR = "front door"
MADE, BEGUN = DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTED


@pytest.fixture
def bench(bench: Bench) -> Bench:
    bench.serve(DESK)
    return bench


@pytest.fixture
def event(bench: Bench) -> InboxEvent:
    return bench.stores.inbox.add("help-desk", "tickets", {"body": "it broke"})[0]


def make(
    bench: Bench,
    event: InboxEvent,
    more: Mapping[str, str] | None = None,
    *,
    status: DagsterRunStatus = MADE,
) -> str | None:
    """Makes the event's run; its id, or None where that is refused."""
    tags = {names.AGENT_TAG: event.agent, **sensor_tags(event.agent, event), **(more or {})}
    try:
        return bench.instance.add_run(DagsterRun("help_desk_job", tags=tags, status=status)).run_id
    except DagsterRunAlreadyExists:
        return None


def sense(bench: Bench) -> list[RunRequest]:
    sensor = bench.repository.get_sensor_def("help_desk__events")
    with build_sensor_context(
        bench.instance, resources=bench.resources, repository_def=bench.repository
    ) as context:
        return list(sensor.evaluate_tick(context).run_requests or [])


def now(bench: Bench, event: InboxEvent) -> InboxEvent:
    found = bench.stores.inbox.get(event.id)
    assert found is not None
    return found


def runs(bench: Bench, event: InboxEvent) -> list[str]:
    found = bench.instance.get_runs()
    return [r.run_id for r in found if r.tags.get("dagster/run_key") == event.run_key]


def test_of_many_who_make_the_run_one_does(bench: Bench, event: InboxEvent) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [run for run in pool.map(lambda _: make(bench, event), range(16)) if run]
    assert made == runs(bench, event) == [now(bench, event).run_id]


def test_a_run_that_cannot_be_stored_is_not_noted(bench: Bench, event: InboxEvent) -> None:
    there = bench.instance.add_run(DagsterRun("help_desk_job"))
    tags = {names.AGENT_TAG: event.agent, **sensor_tags(event.agent, event)}
    with pytest.raises(DagsterRunAlreadyExists):
        bench.instance.add_run(DagsterRun("help_desk_job", run_id=there.run_id, tags=tags))
    assert now(bench, event).run_id is None
    assert make(bench, event)


def test_a_rejected_event_gets_no_run(bench: Bench, event: InboxEvent) -> None:
    bench.stores.inbox.reject(event.id, "why")
    assert make(bench, event) is None


@pytest.mark.parametrize("event_id", [10**6, 10**17])
def test_a_key_of_no_event_is_nobodys(bench: Bench, event: InboxEvent, event_id: int) -> None:
    unknown = InboxEvent(event_id, "help-desk", "t", {}, event.received_at, "pending")
    assert make(bench, unknown)
    assert make(bench, unknown)
    assert make(bench, InboxEvent(event.id, "other", "t", {}, event.received_at, "pending"))


def test_a_person_may_run_it_again(bench: Bench, event: InboxEvent) -> None:
    first = make(bench, event)
    assert make(bench, event, {"dagster/from_ui": "true"})
    assert make(bench, event, {"dagster/sensor_name": "another"})
    assert make(bench, event) is None
    tags = {names.AGENT_TAG: event.agent, **sensor_tags(event.agent, event)}
    again = DagsterRun("help_desk_job", tags=tags, root_run_id=first, parent_run_id=first)
    assert bench.instance.add_run(again)


def test_the_sensor_leaves_what_is_being_started(bench: Bench, event: InboxEvent) -> None:
    assert bench.stores.inbox.claim(event.id, DOOR)
    assert sense(bench) == []


def test_a_crash_after_the_claim(bench: Bench, event: InboxEvent) -> None:
    bench.stores.inbox.claim(event.id, DOOR)
    end_claims(bench)
    assert [request.run_key for request in sense(bench)] == [event.run_key]


def test_a_crash_after_the_run_was_made(bench: Bench, event: InboxEvent) -> None:
    """Nobody submitted it; asked for again, Dagster finds it by its key and submits it."""
    bench.stores.inbox.claim(event.id, DOOR)
    made = make(bench, event)
    end_claims(bench)
    assert [request.run_key for request in sense(bench)] == [event.run_key]
    assert now(bench, event).state == "pending"
    assert runs(bench, event) == [made]


def test_a_crash_after_the_launch(bench: Bench, event: InboxEvent) -> None:
    bench.stores.inbox.claim(event.id, DOOR)
    made = make(bench, event, status=BEGUN)
    end_claims(bench)
    assert sense(bench) == []
    assert (now(bench, event).state, now(bench, event).run_id) == ("started", made)


def test_a_launch_that_outlives_its_claim(bench: Bench, event: InboxEvent) -> None:
    """The sensor has asked for the run, the daemon has not made it yet: whoever is first has it."""
    bench.stores.inbox.claim(event.id, DOOR)
    end_claims(bench)
    (request,) = sense(bench)
    late = make(bench, event, status=BEGUN)
    assert late
    assert make(bench, event, request.tags) is None
    end_claims(bench)
    assert sense(bench) == []
    assert (now(bench, event).state, now(bench, event).run_id) == ("started", late)


def test_a_launch_that_comes_after_the_sensors(bench: Bench, event: InboxEvent) -> None:
    bench.stores.inbox.claim(event.id, DOOR)
    end_claims(bench)
    (request,) = sense(bench)
    made = make(bench, event, status=BEGUN, more=request.tags)
    assert make(bench, event) is None
    bench.stores.inbox.release(event.id, DOOR)
    assert sense(bench) == []
    end_claims(bench)
    assert sense(bench) == []
    assert (now(bench, event).state, now(bench, event).run_id) == ("started", made)


def test_the_front_door_is_late_for_its_turn(bench: Bench, event: InboxEvent) -> None:
    assert len(sense(bench)) == 1
    assert not bench.stores.inbox.claim(event.id, DOOR)


def test_a_run_that_a_person_deleted_is_not_made_again(bench: Bench, event: InboxEvent) -> None:
    made = make(bench, event, status=BEGUN)
    assert made
    bench.instance.delete_run(made)
    assert sense(bench) == []
    assert (now(bench, event).state, now(bench, event).run_id) == ("started", made)
