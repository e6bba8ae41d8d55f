"""A step that asks another system and waits until that calls back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from dagster import DagsterEventType

from agentflow_dagster.errors import UsageError
from tests.orchestration import lane
from tests.orchestration.engine_lane.test_waiting import suspended, until, until_is
from tests.support.loopback import Loopback, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.orchestration.bench import Bench

RENDERER = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: renderer}
spec:
  inputs: {type: object, required: [url], properties: {url: {type: string}}}
  nodes:
    render:
      kind: tool.callback
      with:
        method: POST
        url: "{{input.url}}"
        json: {answer_to: "{{run.callback_url}}"}
        schema: {type: object, properties: {file: {type: string}}}
    told: {kind: ai.chat, with: {prompt: "{{render.output.file}}"}}
"""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """Takes jobs."""
    monkeypatch.setenv("AGENTFLOW_PUBLIC_URL", "https://agents.example")
    with Loopback({"/jobs": Reply(202), "/down": Reply(503)}) as server:
        yield server


def told_url(service: Loopback) -> str:
    body: Any = json.loads(service.requests[-1].body)
    return str(body["answer_to"])


async def test_it_asks_once_and_goes_on_with_the_answer(bench: Bench, service: Loopback) -> None:
    bench.serve(RENDERER)
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "renderer", {"url": f"{service.url}/jobs"})
        url = told_url(service)
        assert url.startswith("https://agents.example/callbacks/")
        bench.stores.waits.call_back(url.rpartition("/")[2], {"file": "a.pdf"})
        await until_is(bench, run_id, "SUCCESS")
    assert len(service.requests) == 1
    assert service.requests[0].headers["idempotency-key"] == f"{run_id}-render"
    assert [str(r.messages[-1].content) for r in bench.model.requests] == ["a.pdf"]
    assert url.rpartition("/")[2] not in str(bench.ran(run_id).events)


async def test_an_answer_before_the_asking_is_over_is_not_lost(
    bench: Bench, service: Loopback
) -> None:
    """The service calls back before it has answered the call."""
    bench.serve(RENDERER)
    run = bench.prepare("renderer", {"url": f"{service.url}/jobs"})
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until(lambda: bool(service.requests))
        bench.stores.waits.call_back(told_url(service).rpartition("/")[2], {"file": "early"})
        await until_is(bench, run.run_id, "SUCCESS")
    assert [str(r.messages[-1].content) for r in bench.model.requests] == ["early"]


async def test_a_call_that_is_refused_fails_the_step(bench: Bench, service: Loopback) -> None:
    bench.serve(RENDERER)
    run = bench.prepare("renderer", {"url": f"{service.url}/down"})
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until_is(bench, run.run_id, "FAILURE")
    assert bench.stores.waits.waits(run_id=run.run_id) == []


HANDLED = RENDERER.replace(
    "      kind: tool.callback\n", "      kind: tool.callback\n      onError: {to: person}\n"
).replace(
    "    told:",
    "    person: {kind: human.approval, with: {ask: go on?}}\n    told:",
)


async def test_what_nobody_waits_for_any_more_is_closed(bench: Bench, service: Loopback) -> None:
    """Its call was refused, and the run waits for something else: a late answer wakes nobody."""
    bench.serve(HANDLED)
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "renderer", {"url": f"{service.url}/down"})
        (wait,) = bench.stores.waits.waits(run_id=run_id)
        assert wait.kind == "approval"
        with pytest.raises(UsageError, match="not waited for any more"):
            bench.stores.waits.call_back(told_url(service).rpartition("/")[2], {"file": "late"})
        bench.stores.waits.decide(wait.id, {"approved": True}, by="mara")
        await until_is(bench, run_id, "SUCCESS")
    assert len(bench.ran(run_id).of_type(DagsterEventType.RUN_SUSPENDED)) == 1
