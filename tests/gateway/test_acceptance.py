"""Calls that come while others are being stored are stored together."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from fastapi import HTTPException

from agentflow_dagster.errors import StoreError
from agentflow_dagster.gateway import acceptance as module
from agentflow_dagster.gateway.acceptance import Acceptance
from agentflow_dagster.ports.stores import NewEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.ports.stores import Inbox, InboxEvent
    from agentflow_dagster.stores import Stores


@dataclass
class Slow:
    """An inbox that stores once it is let go."""

    inbox: Inbox
    groups: list[int] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)

    def add_all(
        self, events: Sequence[NewEvent], *, claimed_by: str | None = None
    ) -> Sequence[tuple[InboxEvent, bool]]:
        self.groups.append(len(events))
        assert self.go.wait(30)
        if self.failures:
            raise self.failures.pop()
        return self.inbox.add_all(events, claimed_by=claimed_by)


def accepting(slow: Slow, by: str | None = None) -> Acceptance:
    return Acceptance(slow, lambda: by)  # type: ignore[arg-type]


def call(number: int, key: str | None = None) -> NewEvent:
    return NewEvent("a", "t", {"number": number}, key)


async def begun(slow: Slow, groups: int) -> None:
    while len(slow.groups) < groups:  # noqa: ASYNC110 - it is stored in another thread
        await asyncio.sleep(0)


async def test_those_that_come_meanwhile_are_one_group(stores: Stores) -> None:
    slow = Slow(stores.inbox)
    async with accepting(slow) as acceptance:
        first = asyncio.create_task(acceptance.accept(call(0)))
        await begun(slow, 1)
        others = [asyncio.create_task(acceptance.accept(call(n))) for n in range(1, 6)]
        await asyncio.sleep(0)
        assert not first.done()
        slow.go.set()
        accepted = await asyncio.gather(first, *others)
    assert slow.groups == [1, 5]
    assert [each.event.event for each in accepted] == [{"number": n} for n in range(6)]
    assert all(each.new and each.claimed_at is None for each in accepted)
    assert [event.id for event in stores.inbox.pending("a")] == [e.event.id for e in accepted]


async def test_what_is_new_is_claimed(stores: Stores) -> None:
    slow = Slow(stores.inbox)
    slow.go.set()
    async with accepting(slow, "front door") as acceptance:
        accepted = [await acceptance.accept(call(n, "the same")) for n in range(2)]
    assert [each.new for each in accepted] == [True, False]
    assert [each.claimed_at is None for each in accepted] == [False, True]
    assert not stores.inbox.claim(accepted[0].event.id, "sensor")


async def test_a_group_that_fails_keeps_the_next_from_nothing(stores: Stores) -> None:
    slow = Slow(stores.inbox, failures=[StoreError("away")])
    async with accepting(slow) as acceptance:
        failing = [asyncio.create_task(acceptance.accept(call(n))) for n in range(2)]
        await begun(slow, 1)
        later = asyncio.create_task(acceptance.accept(call(2)))
        slow.go.set()
        told = await asyncio.gather(*failing, return_exceptions=True)
        assert (await later).new
    assert [type(each) for each in told] == [StoreError, StoreError]
    assert len(stores.inbox.pending("a")) == 1


async def test_who_has_gone_is_stored_all_the_same(stores: Stores) -> None:
    slow = Slow(stores.inbox)
    async with accepting(slow) as acceptance:
        gone = asyncio.create_task(acceptance.accept(call(0)))
        await begun(slow, 1)
        gone.cancel()
        stays = asyncio.create_task(acceptance.accept(call(1)))
        slow.go.set()
        assert (await stays).new
    assert len(stores.inbox.pending("a")) == 2


async def test_more_than_can_wait_are_sent_away(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    slow = Slow(stores.inbox)
    async with accepting(slow) as acceptance:
        tasks = [asyncio.create_task(acceptance.accept(call(0)))]
        await begun(slow, 1)
        tasks += [asyncio.create_task(acceptance.accept(call(n))) for n in range(1, 3)]
        await asyncio.sleep(0)
        with pytest.raises(HTTPException) as sent_away:
            await acceptance.accept(call(3))
        slow.go.set()
        assert all(each.new for each in await asyncio.gather(*tasks))
    assert (sent_away.value.status_code, sent_away.value.headers) == (503, {"Retry-After": "1"})
