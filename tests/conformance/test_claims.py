"""Who may start the run of an event: what every implementation of the inbox must do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.ports.stores import NewEvent, event_of
from tests.support.at_once import at_once

if TYPE_CHECKING:
    from agentflow_dagster.ports.stores import Inbox
    from agentflow_dagster.stores import Stores


@pytest.fixture(params=["postgres"])
def inbox(request: pytest.FixtureRequest, stores: Stores) -> Inbox:
    return {"postgres": stores}[request.param].inbox


def test_one_claims_an_event(inbox: Inbox) -> None:
    event, _ = inbox.add("triage", "tickets", {})
    claims = at_once(lambda number: inbox.claim(event.id, f"{number}"), 8)
    assert sorted(claims) == [False] * 7 + [True]
    assert inbox.claim_next("triage", "sensor") == []
    assert inbox.pending("triage") == [event]


def test_a_claim_is_made_with_the_event(inbox: Inbox) -> None:
    group = [NewEvent("triage", "tickets", {})] * 2
    ids = [event.id for event, _ in inbox.add_all(group, claimed_by="front door")]
    assert not inbox.claim(ids[0], "sensor")
    assert inbox.claim_next("triage", "sensor") == []
    inbox.release(ids[1], "front door")
    assert [event.id for event in inbox.claim_next("triage", "sensor")] == [ids[1]]


def test_who_has_an_event_may_claim_it_for_longer(inbox: Inbox) -> None:
    event, _ = inbox.add("triage", "tickets", {})
    assert inbox.claim(event.id, "one")
    assert inbox.claim(event.id, "one")
    assert not inbox.claim(event.id, "two")


def test_a_claim_runs_out(inbox: Inbox) -> None:
    event, _ = inbox.add("triage", "tickets", {})
    assert inbox.claim(event.id, "one", seconds=0)
    assert inbox.claim(event.id, "two", seconds=0)
    assert inbox.claim_next("triage", "three") == [event]
    assert not inbox.claim(event.id, "one")


def test_what_is_free_is_claimed_oldest_first(inbox: Inbox) -> None:
    ids = [inbox.add("triage", "tickets", {})[0].id for _ in range(4)]
    inbox.add("other", "tickets", {})
    assert inbox.claim(ids[1], "front door")
    assert [event.id for event in inbox.claim_next("triage", "a", limit=2)] == [ids[0], ids[2]]
    assert [event.id for event in inbox.claim_next("triage", "b")] == [ids[3]]


def test_many_claim_different_events(inbox: Inbox) -> None:
    ids = [inbox.add("triage", "tickets", {})[0].id for _ in range(40)]
    claimed = at_once(lambda number: inbox.claim_next("triage", f"{number}", limit=5), 8)
    claimed += [inbox.claim_next("triage", "the rest")]  # what was passed over meanwhile
    assert sorted(event.id for events in claimed for event in events) == ids


def test_only_an_own_claim_is_released(inbox: Inbox) -> None:
    event, _ = inbox.add("triage", "tickets", {})
    assert inbox.claim(event.id, "one", seconds=0)
    assert inbox.claim(event.id, "two")
    inbox.release(event.id, "one")
    assert not inbox.claim(event.id, "one")
    inbox.release(event.id, "two")
    assert inbox.claim(event.id, "one")


def test_what_is_done_is_not_claimed(inbox: Inbox) -> None:
    started, rejected = (inbox.add("triage", "tickets", {})[0].id for _ in range(2))
    inbox.settle({started: "run"})
    inbox.reject(rejected, "why")
    assert not any(inbox.claim(id_, "one") for id_ in (started, rejected, rejected + 1))


def test_a_run_key_tells_its_event(inbox: Inbox) -> None:
    event, _ = inbox.add("triage", "tickets", {})
    assert event_of(event.run_key) == event.id
    others = ["", "inbox-", "inbox-x", "inbox--1", "inbox-²", "7", f"inbox-{10**19}"]
    assert [event_of(key) for key in others] == [None] * len(others)
