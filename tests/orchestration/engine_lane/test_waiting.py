"""Runs that wait are put away, and go on with what comes: a time, a decision, an answer."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from dagster import DagsterEventType

from agentflow_dagster.errors import UsageError
from tests.orchestration import lane
from tests.orchestration.engine_lane.test_engine import until_asked
from tests.orchestration.engine_lane.test_recovery import refusing

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.orchestration.engine_lane.engine import Engine
    from agentflow_dagster.ports.waits import Wait
    from tests.orchestration.bench import Bench

CONSENT = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: refunds}
spec:
  inputs: {type: object, required: [amount], properties: {amount: {type: number}}}
  nodes:
    consent:
      kind: human.approval
      timeout: 100ms
      with:
        ask: "Pay {{input.amount}}?"
        show: {amount: "{{input.amount}}"}
        people: [mara]
        escalate: [{after: 1h, to: [head]}]
    pay: {kind: ai.chat, after: [consent], with: {prompt: pay}}
    refuse:
      kind: ai.chat
      after: [consent.rejected]
      with: {prompt: "no: {{consent.rejected.note}}"}
"""
DELAY = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: reminder}
spec:
  nodes:
    before: {kind: ai.chat, with: {prompt: before}}
    later: {kind: logic.delay, after: [before], with: {for: 300ms}}
    after: {kind: ai.chat, after: [later], with: {prompt: after}}
"""
LOOP = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: letters}
spec:
  inputs: {type: object, properties: {names: {type: array, items: {type: string}}}}
  nodes:
    each:
      kind: logic.loop
      timeout: 200ms
      with:
        over: "{{input.names}}"
        as: name
        body:
          nodes:
            draft: {kind: ai.chat, with: {prompt: "draft {{name}}"}}
            check:
              kind: human.input
              with:
                ask: "Good? {{draft.output.text}}"
                schema: {type: object, properties: {text: {type: string}}}
          outputs: {text: "{{check.output.text}}"}
"""


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(true):  # noqa: ASYNC110 - of the database
            await asyncio.sleep(0.01)


async def until_is(bench: Bench, run_id: str, status: str) -> None:
    await until(lambda: bench.ran(run_id).status == status)


async def suspended(bench: Bench, engine: Engine, agent: str, input_: dict[str, object]) -> str:
    """A run that waits; its id."""
    run = bench.prepare(agent, input_)  # pyright: ignore[reportArgumentType]
    await engine.start(run.run_id)
    await until_is(bench, run.run_id, "SUSPENDED")
    await engine.ended(run.run_id)
    return run.run_id


async def waits(bench: Bench, run_id: str) -> list[Wait]:
    return await asyncio.to_thread(lambda: bench.stores.waits.waits(run_id=run_id))


def state(bench: Bench, wait_id: int) -> str:
    wait = bench.stores.waits.get(wait_id)
    return wait.state if wait else ""


async def test_an_approval_is_waited_for_without_the_engine(bench: Bench) -> None:
    bench.serve(CONSENT)
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "refunds", {"amount": 5})
        assert engine.running == 0
    (wait,) = await waits(bench, run_id)
    assert wait.kind == "approval"
    assert wait.subject == {"ask": "Pay 5?", "show": {"amount": 5}}
    bench.stores.waits.decide(wait.id, {"approved": True}, by="mara", note="yes")
    async with lane.engine(bench):
        await until_is(bench, run_id, "SUCCESS")
    ran = bench.ran(run_id)
    decided: Any = ran.values["consent"].value
    assert [decided["by"], decided["note"]] == ["mara", "yes"]
    assert [r.messages[-1].content for r in bench.model.requests] == ["pay"]
    assert ran.skipped == {"refuse"}
    for one in (DagsterEventType.RUN_SUSPENDED, DagsterEventType.RUN_RESUMED):
        assert len(ran.of_type(one)) == 1
    assert ran.count(DagsterEventType.STEP_START, "consent") == 1
    assert ran.count(DagsterEventType.STEP_RESTARTED, "consent") == 0


async def test_a_rejection_goes_the_other_way(bench: Bench) -> None:
    bench.serve(CONSENT)
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "refunds", {"amount": 5})
        (wait,) = await waits(bench, run_id)
        bench.stores.waits.decide(wait.id, {"approved": False}, by="mara", note="too much")
        await until_is(bench, run_id, "SUCCESS")
    assert [r.messages[-1].content for r in bench.model.requests] == ["no: too much"]


async def test_it_is_decided_once_by_who_may(bench: Bench) -> None:
    bench.serve(CONSENT)
    store = bench.stores.waits
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "refunds", {"amount": 5})
        (wait,) = await waits(bench, run_id)
        for somebody in ("jonas", "head"):
            with pytest.raises(UsageError, match="may not answer"):
                store.decide(wait.id, {"approved": True}, by=somebody)
        store.delegate(wait.id, by="mara", to="jonas")
        await asyncio.gather(
            *(
                asyncio.to_thread(store.decide, wait.id, {"approved": True}, by="jonas")
                for _ in range(20)
            )
        )
        with pytest.raises(UsageError, match="was answered by jonas"):
            store.decide(wait.id, {"approved": False}, by="mara")
        await until_is(bench, run_id, "SUCCESS")
    assert [r.messages[-1].content for r in bench.model.requests] == ["pay"]


async def test_others_may_after_some_time(bench: Bench) -> None:
    bench.serve(CONSENT)
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "refunds", {"amount": 5})
    (wait,) = await waits(bench, run_id)
    assert wait.people == ("mara",)
    earlier = sa.text("UPDATE agentflow.waits SET asked_at = asked_at - interval '2 hours'")
    with sa.create_engine(bench.database_url).begin() as connection:
        connection.execute(earlier)
    (wait,) = await waits(bench, run_id)
    assert wait.people == ("mara", "head")
    assert bench.stores.waits.decide(wait.id, {"approved": True}, by="head").state == "answered"


async def test_a_time_passes(bench: Bench) -> None:
    bench.serve(DELAY)
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "reminder", {})
        await until_is(bench, run_id, "SUCCESS")
    assert [r.messages[-1].content for r in bench.model.requests] == ["before", "after"]


async def test_a_deadline_decides(bench: Bench) -> None:
    document = CONSENT.replace("people: [mara]", "people: [mara]\n        deadline: 200ms")
    bench.serve(document)
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "refunds", {"amount": 5})
        await until_is(bench, run_id, "SUCCESS")
    assert bench.ran(run_id).values["consent"].port == "rejected"
    (wait,) = bench.stores.waits.waits(run_id=run_id, open_only=False)
    with pytest.raises(UsageError, match="time ran out"):
        bench.stores.waits.decide(wait.id, {"approved": True}, by="mara")


async def test_a_run_is_not_put_away_while_another_way_is_at_work(bench: Bench) -> None:
    bench.serve(CONSENT + "    other: {kind: ai.chat, with: {prompt: other}}\n")
    bench.model.hang_on("other")
    run = bench.prepare("refunds", {"amount": 5})
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until_asked(bench, "other")
        await until(lambda: bool(bench.stores.waits.waits(run_id=run.run_id)))
        (wait,) = await waits(bench, run.run_id)
        bench.stores.waits.decide(wait.id, {"approved": True}, by="mara")
        await until_asked(bench, "pay")
        assert bench.ran(run.run_id).status == "STARTED"


async def test_rounds_of_a_loop_wait_each(bench: Bench) -> None:
    bench.serve(LOOP)
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "letters", {"names": ["a", "b"]})
        first, second = await waits(bench, run_id)
        assert [first.path, second.path] == ["each[0].check", "each[1].check"]
        bench.stores.waits.decide(second.id, {"text": "B"}, by="x")
        await until(lambda: state(bench, second.id) == "taken")
        await until_is(bench, run_id, "SUSPENDED")
        bench.stores.waits.decide(first.id, {"text": "A"}, by="x")
        await until_is(bench, run_id, "SUCCESS")
    given: Any = bench.ran(run_id).values["each"].value
    assert given["items"] == [{"text": "A"}, {"text": "B"}]
    assert len(bench.model.requests) == 2


async def test_a_suspended_run_can_be_canceled(bench: Bench) -> None:
    bench.serve(CONSENT)
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "refunds", {"amount": 5})
        assert await engine.cancel(run_id)
    ran = bench.ran(run_id)
    assert ran.status == "CANCELED"
    assert ran.failed == {"consent"}
    assert await waits(bench, run_id) == []


async def test_a_crash_while_a_run_waits_beside_work_loses_nothing(bench: Bench) -> None:
    bench.serve(CONSENT + "    other: {kind: ai.chat, with: {prompt: other}}\n")
    bench.model.hang_on("other")
    run = bench.prepare("refunds", {"amount": 5})
    async with lane.engine(bench) as engine:
        await engine.start(run.run_id)
        await until_asked(bench, "other")
        await until(lambda: bool(bench.stores.waits.waits(run_id=run.run_id)))
    (wait,) = await waits(bench, run.run_id)
    bench.stores.waits.decide(wait.id, {"approved": True}, by="mara")
    bench.model.label()
    async with lane.engine(bench) as engine:
        await engine.resume(run.run_id)
        await until_is(bench, run.run_id, "SUCCESS")
    assert len(bench.stores.waits.waits(run_id=run.run_id, open_only=False)) == 1


async def test_what_waits_for_a_run_that_others_ended_is_closed(bench: Bench) -> None:
    bench.serve(CONSENT)
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "refunds", {"amount": 5})
    bench.instance.report_run_canceled(bench.ran(run_id).run)
    (wait,) = await waits(bench, run_id)
    async with lane.engine(bench):
        await until(lambda: state(bench, wait.id) == "closed")
    with pytest.raises(UsageError, match="its run has ended"):
        bench.stores.waits.decide(wait.id, {"approved": True}, by="mara")


async def test_an_answer_to_something_else_does_not_count(bench: Bench) -> None:
    bench.serve(CONSENT)
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "refunds", {"amount": 5})
    other = sa.text(
        "UPDATE agentflow.waits SET subject = '{\"ask\": \"Pay 1?\"}', digest = repeat('0', 64)"
    )
    with sa.create_engine(bench.database_url).begin() as connection:
        connection.execute(other)
    (wait,) = await waits(bench, run_id)
    bench.stores.waits.decide(wait.id, {"approved": True}, by="mara")
    async with lane.engine(bench):
        await until(lambda: state(bench, wait.id) != "answered")
        await until_is(bench, run_id, "SUSPENDED")
        (again,) = await waits(bench, run_id)
    assert again.subject["ask"] == "Pay 5?"
    assert bench.model.requests == []


def test_a_run_with_a_process_waits_in_it(bench: Bench) -> None:
    bench.serve(CONSENT)

    def approve() -> None:
        while not (found := bench.stores.waits.waits(agent="refunds")):
            time.sleep(0.01)
        bench.stores.waits.decide(found[0].id, {"approved": True}, by="mara")

    with ThreadPoolExecutor() as pool:
        approving = pool.submit(approve)
        ran = bench.run("refunds", {"amount": 5})
        approving.result(timeout=10)
    assert ran.status == "SUCCESS"
    assert ran.succeeded == {"consent", "pay"}


def test_deadlines_pass_without_the_engine(bench: Bench) -> None:
    bench.serve(DELAY)
    ran = bench.run("reminder", {})
    assert ran.status == "SUCCESS"


BESIDE = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: beside}
spec:
  nodes:
    shaky: {kind: ai.chat, with: {prompt: shaky}}
    next: {kind: ai.chat, after: [shaky], with: {prompt: next}}
    later: {kind: logic.delay, with: {for: 300ms}}
    last: {kind: ai.chat, after: [later], with: {prompt: last}}
"""


async def test_one_in_which_a_step_has_failed_is_put_away_too(bench: Bench) -> None:
    bench.serve(BESIDE)
    bench.model.answer = refusing
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "beside", {})
        assert not engine.running
        await until_is(bench, run_id, "FAILURE")
    ran = bench.ran(run_id)
    assert (ran.failed, ran.succeeded) == ({"shaky"}, {"later", "last"})
    asked = [request.messages[-1].content for request in bench.model.requests]
    assert asked == ["shaky", "last"]
    assert ran.told().count("Dependencies for step beside.next failed") == 1
