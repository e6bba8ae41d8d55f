"""What models say is told while they say it, to whoever watches the run, and to nobody else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agentflow_dagster.orchestration.names import WATCHED_TAG
from agentflow_dagster.ports.live_events import ModelSaid, StepChanged, node_of
from agentflow_dagster.stores.live_texts import MOST_SHOWN
from tests.orchestration import lane
from tests.orchestration.adapters import ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from agentflow_dagster.orchestration.live_events import PostgresLiveEvents
    from agentflow_dagster.ports.live_events import LiveEvent
    from agentflow_dagster.ports.model import Listener, ModelReply, ModelRequest
    from tests.orchestration.bench import Bench, Ran
    from tests.orchestration.conftest import Lane

WRITER = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: writer}
spec:
  nodes:
    draft: {kind: ai.complete, with: {prompt: "Write."}}
    polish:
      kind: logic.parallel
      after: [draft]
      with:
        branches:
          one: {nodes: {say: {kind: ai.complete, with: {prompt: "One."}}}}
          two: {nodes: {say: {kind: ai.complete, with: {prompt: "Two."}}}}
"""


class Speaker(ScriptedModel):
    """Says what it says piece by piece."""

    def __init__(self, *pieces: str) -> None:
        super().__init__()
        self.pieces = pieces
        self.listeners: list[Listener | None] = []

    async def complete(self, request: ModelRequest, listener: Listener | None = None) -> ModelReply:
        self.listeners.append(listener)
        if listener is not None:
            for piece in self.pieces:
                listener.text(piece)
                await asyncio.sleep(0.3)
        return await super().complete(request)


async def told(
    events: PostgresLiveEvents, work: Callable[[], Ran]
) -> tuple[list[LiveEvent | ModelSaid], Ran]:
    """All that is told while a run is carried out, in the order in which it came."""
    found: list[LiveEvent | ModelSaid] = []

    tell = found.append

    async def follow() -> None:
        async for event in events.follow(said=tell):
            tell(event)

    following = asyncio.create_task(follow())
    await events.agents()
    ran = await asyncio.to_thread(work)
    await asyncio.sleep(0.3)
    following.cancel()
    return found, ran


async def test_it_is_told_while_it_is_said(
    bench: Bench, events: PostgresLiveEvents, run: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.serve(WRITER)
    monkeypatch.setattr(bench, "model", speaker := Speaker("Once upon ", "a time."))
    found, ran = await told(events, lambda: run("writer", tags={WATCHED_TAG: "true"}))
    assert ran.status == "SUCCESS"
    assert len(speaker.listeners) == 3
    said = [one for one in found if isinstance(one, ModelSaid)]
    assert {one.run_id for one in said} == {ran.run_id}
    assert {one.path for one in said} == {"draft", "polish.one.say", "polish.two.say"}
    assert {node_of(one.path) for one in said} == {"draft", "polish"}
    draft = [one.text for one in said if one.path == "draft"]
    assert draft == ["Once upon ", "Once upon a time."]
    ended = next(
        place
        for place, one in enumerate(found)
        if isinstance(one, StepChanged) and (one.node, one.state) == ("draft", "succeeded")
    )
    assert all(found.index(one) < ended for one in said if one.path == "draft")


async def test_a_run_that_nobody_watches_is_not_streamed(
    bench: Bench, events: PostgresLiveEvents, run: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.serve(WRITER)
    monkeypatch.setattr(bench, "model", speaker := Speaker("Once upon a time."))
    found, _ = await told(events, lambda: run("writer"))
    assert speaker.listeners == [None] * 3
    assert not [one for one in found if isinstance(one, ModelSaid)]


async def test_no_secret_is_told(
    bench: Bench, events: PostgresLiveEvents, run: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "correct-horse-battery"
    bench.serve(WRITER.replace("spec:", "spec:\n  secrets: [API_TOKEN]", 1))
    bench.secrets.given.values["API_TOKEN"] = secret
    pieces = (f"It is {secret[:9]}", f"{secret[9:]}, ", "as was said. " * 20, "That is it.")
    monkeypatch.setattr(bench, "model", Speaker(*pieces))
    found, _ = await told(events, lambda: run("writer", tags={WATCHED_TAG: "true"}))
    said = [one.text for one in found if isinstance(one, ModelSaid) and one.path == "draft"]
    assert said[-1].startswith("It is ***, as was said. ")
    assert not [text for text in said if any(part in text for part in secret.split("-"))]


async def test_no_more_is_told_than_there_is_room_for(
    bench: Bench, events: PostgresLiveEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.serve(WRITER)
    monkeypatch.setattr(bench, "model", Speaker("\U0001f600" * 5_000, "\x00\ud800 end"))
    tags = {WATCHED_TAG: "true"}
    found, ran = await told(events, lambda: lane.run(bench, "writer", tags=tags))
    assert ran.status == "SUCCESS"
    said = [one.text for one in found if isinstance(one, ModelSaid) and one.path == "draft"]
    assert said[-1].endswith("\x00\ud800 end")
    assert 300 < len(said[-1]) <= MOST_SHOWN


async def test_a_reply_that_begins_anew_is_told_anew(
    bench: Bench, events: PostgresLiveEvents
) -> None:
    bench.serve(WRITER)
    run_id, texts = bench.prepare("writer").run_id, bench.stores.texts
    found: list[ModelSaid] = []
    following = asyncio.create_task(anext(events.follow(run_id=run_id, said=found.append)))
    await events.agents()
    ear, other = texts.ear(run_id, "draft"), texts.ear("of another", "draft")
    other.text("Not of this run.")
    ear.text("One")
    await asyncio.sleep(0.4)
    ear.again()
    await asyncio.sleep(0.4)
    ear.text("Another")
    await asyncio.sleep(0.4)
    following.cancel()
    assert [one.text for one in found] == ["One", "", "Another"]
