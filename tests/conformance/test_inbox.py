"""Events that are owed a run: what every implementation of the inbox must do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import StoreError
from agentflow_dagster.ports.stores import NewEvent
from tests.support.at_once import at_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.ports.stores import Inbox, InboxEvent
    from agentflow_dagster.spec.values import JsonObject
    from agentflow_dagster.stores import Stores


@pytest.fixture(params=["postgres"])
def inbox(request: pytest.FixtureRequest, stores: Stores) -> Inbox:
    return {"postgres": stores}[request.param].inbox


def test_add_and_get(inbox: Inbox) -> None:
    event: JsonObject = {"body": {"text": "nul \0 and half \ud800"}, "headers": {}}
    added, new = inbox.add("triage", "tickets", event)
    assert new
    assert added == inbox.get(added.id)
    assert added.event == event
    assert (added.agent, added.trigger) == ("triage", "tickets")
    assert (added.state, added.run_id) == ("pending", None)
    assert added.received_at.tzinfo is not None


def test_unknown_is_none(inbox: Inbox) -> None:
    assert inbox.get(1) is None


def test_same_key_returns_the_earlier_event(inbox: Inbox) -> None:
    first, _ = inbox.add("triage", "tickets", {"n": 1}, idempotency_key="k")
    inbox.settle({first.id: "run"})
    again, new = inbox.add("triage", "tickets", {"n": 2}, idempotency_key="k")
    assert not new
    assert again.id == first.id
    assert again.event == {"n": 1}
    assert again.run_id == "run"


def test_key_is_of_one_agent_and_trigger(inbox: Inbox) -> None:
    for agent, trigger in (("triage", "a"), ("triage", "b"), ("other", "a")):
        assert inbox.add(agent, trigger, {}, idempotency_key="k")[1]


def test_without_a_key_nothing_repeats(inbox: Inbox) -> None:
    first, second = (inbox.add("triage", "tickets", {})[0] for _ in range(2))
    assert first.id != second.id


def test_same_key_at_once_is_accepted_once(inbox: Inbox) -> None:
    results = at_once(
        lambda number: inbox.add("triage", "tickets", {"n": number}, idempotency_key="k"), 8
    )
    assert sorted(new for _, new in results) == [False] * 7 + [True]
    accepted = next(event for event, new in results if new)
    assert all(event == accepted for event, _ in results)


def test_a_group_is_added_in_its_order(inbox: Inbox) -> None:
    earlier, _ = inbox.add("triage", "tickets", {"n": 0}, idempotency_key="k")
    group = [
        NewEvent("triage", "tickets", {"n": 1}, "later"),
        NewEvent("triage", "tickets", {"n": 2}, "k"),
        NewEvent("other", "tickets", {"n": 3}),
        NewEvent("triage", "tickets", {"n": 4}, "later"),
        NewEvent("other", "tickets", {"n": 5}),
    ]
    added = inbox.add_all(group)
    assert [new for _, new in added] == [True, False, True, False, True]
    assert [event.event["n"] for event, _ in added] == [1, 0, 3, 1, 5]
    assert added[1][0] == earlier
    assert added[3][0] == added[0][0]
    assert [event for event, _ in added] == [inbox.get(event.id) for event, _ in added]
    assert [event.id for event in inbox.pending("other")] == [added[2][0].id, added[4][0].id]
    assert inbox.add_all([]) == []


def test_groups_with_the_same_keys_at_once(inbox: Inbox) -> None:
    """In the opposite order, so that each has what the other wants."""
    keys = [f"{number}" for number in range(50)]

    def add(number: int) -> Sequence[tuple[InboxEvent, bool]]:
        ordered = keys if number % 2 else keys[::-1]
        return inbox.add_all([NewEvent("triage", "t", {"n": number}, key) for key in ordered])

    results = at_once(add, 8)
    assert sum(new for group in results for _, new in group) == len(keys)


def test_a_group_is_added_whole_or_not_at_all(inbox: Inbox) -> None:
    with pytest.raises(StoreError):
        inbox.add_all([NewEvent("triage", "t", {}), NewEvent("triage", "t", {}, "k" * 501)])
    assert inbox.pending("triage") == []


def test_pending_is_oldest_first_and_of_one_agent(inbox: Inbox) -> None:
    ids = [inbox.add("triage", "tickets", {"n": n})[0].id for n in range(4)]
    inbox.add("other", "tickets", {})
    assert [event.id for event in inbox.pending("triage")] == ids
    assert [event.id for event in inbox.pending("triage", limit=2)] == ids[:2]


def test_settled_events_are_not_pending(inbox: Inbox) -> None:
    first, second = (inbox.add("triage", "tickets", {})[0] for _ in range(2))
    inbox.settle({first.id: "run"})
    inbox.settle({})
    assert [event.id for event in inbox.pending("triage")] == [second.id]
    settled = inbox.get(first.id)
    assert settled
    assert (settled.state, settled.run_id) == ("started", "run")


def test_first_run_stays(inbox: Inbox) -> None:
    event, _ = inbox.add("triage", "tickets", {})
    inbox.settle({event.id: "run", event.id + 1_000: "no such event"})
    inbox.settle({event.id: "another"})
    settled = inbox.get(event.id)
    assert settled
    assert settled.run_id == "run"


def test_rejected_events_are_not_pending(inbox: Inbox) -> None:
    event, _ = inbox.add("triage", "tickets", {}, idempotency_key="k")
    inbox.reject(event.id, "\0\ud800" + "no such agent " * 500)
    assert inbox.pending("triage") == []
    rejected, new = inbox.add("triage", "tickets", {}, idempotency_key="k")
    assert not new
    assert (rejected.id, rejected.state, rejected.run_id) == (event.id, "rejected", None)


def test_event_with_a_run_cannot_be_rejected(inbox: Inbox) -> None:
    event, _ = inbox.add("triage", "tickets", {})
    inbox.settle({event.id: "run"})
    inbox.reject(event.id, "too late")
    settled = inbox.get(event.id)
    assert settled
    assert settled.state == "started"
