"""A step that was under way when its engine died: run again, failed, or reviewed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import ModelError
from tests.orchestration import lane
from tests.orchestration.engine_lane.test_engine import until_asked
from tests.orchestration.engine_lane.test_waiting import until_is, waits

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.spec.values import JsonValue
    from tests.orchestration.bench import Bench

PAYS = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: payer}
spec:
  nodes:
    pay: {kind: ai.chat, onUnknown: POLICY, with: {prompt: pay}}
    told: {kind: ai.chat, after: [pay], with: {prompt: told}}
"""
IN_A_LOOP = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: payer}
spec:
  nodes:
    each:
      kind: logic.loop
      with:
        over: [1, 2]
        concurrency: 1
        body:
          nodes: {pay: {kind: ai.chat, onUnknown: POLICY, with: {prompt: "pay"}}}
          outputs: {text: "{{pay.output.text}}"}
"""


async def left_at_work(bench: Bench, agent: str) -> str:
    """A run whose engine goes while it pays."""
    bench.serve(agent)
    bench.model.hang_on("pay")
    run = bench.prepare("payer")
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until_asked(bench, "pay")
    bench.model.label()
    bench.model.requests.clear()
    return run.run_id


def asked(bench: Bench) -> list[str]:
    return [str(request.messages[-1].content) for request in bench.model.requests]


@pytest.mark.parametrize("agent", [PAYS, IN_A_LOOP])
async def test_it_fails(bench: Bench, agent: str) -> None:
    run_id = await left_at_work(bench, agent.replace("POLICY", "fail"))
    async with lane.engine(bench) as engine:
        await engine.resume(run_id)
        await engine.ended(run_id)
    assert bench.ran(run_id).status == "FAILURE"
    assert asked(bench) == []


@pytest.mark.parametrize("agent", [PAYS, IN_A_LOOP])
@pytest.mark.parametrize("approved", [True, False])
async def test_somebody_says_whether_it_is_repeated(
    bench: Bench, agent: str, *, approved: bool
) -> None:
    run_id = await left_at_work(bench, agent.replace("POLICY", "review"))
    async with lane.engine(bench) as engine:
        await engine.resume(run_id)
        await until_is(bench, run_id, "SUSPENDED")
        (wait,) = await waits(bench, run_id)
        assert "was under way when its process ended" in str(wait.subject["ask"])
        bench.stores.waits.decide(wait.id, {"approved": approved}, by="mara")
        await until_is(bench, run_id, "SUCCESS" if approved else "FAILURE")
    assert asked(bench)[:1] == (["pay"] if approved else [])


async def test_one_that_had_failed_for_sure_is_repeated(bench: Bench) -> None:
    """Its failure is known: the next attempt of the loop runs it again."""
    bench.serve(IN_A_LOOP.replace("POLICY", "fail").replace("with:\n", RETRIED, 1))
    label, failed = bench.model.answer, [True]

    def fail_once(request: ModelRequest) -> JsonValue:
        if failed:
            failed.clear()
            raise ModelError("No.", model="small", provider="small", status=500)
        return label(request)

    bench.model.answer = fail_once
    run = bench.prepare("payer")
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await engine.ended(run.run_id)
    assert bench.ran(run.run_id).status == "SUCCESS"


RETRIED = "retry: {maxAttempts: 2, delay: 1ms}\n      with:\n"


async def test_a_second_crash_asks_again(bench: Bench) -> None:
    run_id = await left_at_work(bench, PAYS.replace("POLICY", "review"))
    async with lane.engine(bench) as engine:
        await engine.resume(run_id)
        await until_is(bench, run_id, "SUSPENDED")
        bench.model.hang_on("pay")
        (wait,) = await waits(bench, run_id)
        bench.stores.waits.decide(wait.id, {"approved": True}, by="mara")
        await until_asked(bench, "pay")
    bench.model.label()
    async with lane.engine(bench) as engine:
        await engine.resume(run_id)
        await until_is(bench, run_id, "SUSPENDED")
        (again,) = await waits(bench, run_id)
    assert again.id != wait.id
    assert asked(bench) == []
