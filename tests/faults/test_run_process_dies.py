"""The process of a run is killed at each point between which it records something, and goes on."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import pytest
from dagster import DagsterEventType

from agentflow_dagster.orchestration.storage import OrderedEventLog
from agentflow_dagster.orchestration.warm.children import carry_out, go_on
from agentflow_dagster.orchestration.warm.going_on import MOST, Ending
from agentflow_dagster.ports.ledger import PlannedCall
from agentflow_dagster.ports.model import ModelReply, Usage
from agentflow_dagster.stores import open_stores
from agentflow_dagster.stores.steps import PostgresStepStore
from tests.conformance import process_lane
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from dagster import DagsterInstance, EventLogEntry

    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.ports.stores import StepOutput
    from agentflow_dagster.stores.ledger import PostgresLedger
    from tests.faults.ledger import Ledger
    from tests.orchestration.bench import Bench, Ran

pytestmark = pytest.mark.fault

TRANSFER = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: transfer}
spec:
  env: [LEDGER]
  nodes:
    debit:
      kind: tool.http
      with: {method: POST, url: "{{env.LEDGER}}/debit", json: {n: 0}}
    way:
      kind: logic.switch
      with: {cases: {good: "{{debit.output.status == 201}}"}, default: bad}
    complain: {kind: ai.chat, after: [way.bad], with: {prompt: Why not?}}
    broken:
      kind: tool.http
      after: [way.good]
      onError: {to: mended}
      with: {method: GET, url: "{{env.LEDGER}}/nothing"}
    mended: {kind: ai.chat, after: [broken.error], with: {prompt: Never mind.}}
    credit:
      kind: tool.http
      after: [mended]
      with: {method: POST, url: "{{env.LEDGER}}/credit", json: {n: 0}}
"""
PAYS = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: payer}
spec:
  env: [LEDGER]
  nodes:
    pay:
      kind: tool.http
      onUnknown: POLICY
      with: {method: POST, url: "{{env.LEDGER}}/debit", json: {n: 0}}
"""
ASKS = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: asker}
spec:
  nodes:
    call: {kind: agent.run, with: {agent: transfer}}
"""
CHARGED = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: charged}
spec:
  budget: {perRunUsd: 2}
  nodes:
    asks: {kind: ai.chat, with: {prompt: How are you?}}
"""
FEWEST, MOST_COMMITS = 30, 37
"""Commits of a run that nothing happens to: what comes at its start is one, or several."""


@dataclass(frozen=True)
class Death:
    """A point at which a run's process dies.

    Args:
        when: Before or after the commit.
        what: Of what: events, one of a kind among them, or a step's output; "" is all.
        number: Of such, counted from 1.
    """

    when: Literal["before", "after"]
    what: str
    number: int = 1

    def __str__(self) -> str:
        return f"{self.when} {self.what or 'record'} {self.number}"


POINTS = [
    Death("before", "PIPELINE_START"),
    Death("after", "PIPELINE_START"),
    Death("after", "STEP_START", 2),
    Death("before", "output", 1),
    Death("after", "output", 2),  # The first is the run's input.
    Death("after", "STEP_OUTPUT"),
    Death("after", "ASSET_MATERIALIZATION"),
    Death("after", "STEP_SUCCESS", 2),
    Death("after", "STEP_SKIPPED"),
    Death("after", "output", 4),
    Death("before", "PIPELINE_SUCCESS"),
    Death("after", "PIPELINE_SUCCESS"),
]
"""The kinds of events as their table has them."""


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(
    death: Death,
    work: Callable[[DagsterInstance], int],
    *,
    act: Callable[[], None] = kill_self,
) -> Callable[..., int]:
    """The work, in a process that dies at a point, or does what else it is to do there; to be
    called in a fork."""
    left = [death.number]

    def reached(when: str, *what: str) -> None:
        if when == death.when and death.what in what:
            left[0] -= 1
            if left[0] == 0:
                act()

    in_order, note = OrderedEventLog._in_order, OrderedEventLog._note  # type: ignore[reportPrivateUsage]
    put, kinds, depth = PostgresStepStore.put, set[str](), [0]

    def noted(self: OrderedEventLog, connection: Any, events: Sequence[EventLogEntry]) -> None:
        kinds.update(e.dagster_event_type.value for e in events if e.dagster_event_type)
        note(self, connection, events)

    @contextmanager
    def dying_in_order(self: OrderedEventLog) -> Generator[Any]:
        depth[0] += 1
        with in_order(self) as connection:
            yield connection
            if depth[0] == 1:
                reached("before", *kinds, "")
        depth[0] -= 1
        if not depth[0]:
            told = [*kinds, ""]
            kinds.clear()
            reached("after", *told)

    def keep(self: PostgresStepStore, run_id: str, node: str, output: StepOutput) -> None:
        reached("before", "output", "")
        put(self, run_id, node, output)
        reached("after", "output", "")

    def doomed(instance: DagsterInstance) -> int:
        OrderedEventLog._in_order, OrderedEventLog._note = dying_in_order, noted  # type: ignore[reportPrivateUsage]
        PostgresStepStore.put = keep
        return work(instance)

    return doomed


def assert_done_once(ran: Ran, ledger: Ledger) -> None:
    """The run ended well, and there is one of each that there is to be."""
    assert ran.status == "SUCCESS"
    assert ledger.entries("/debit") == ledger.entries("/credit") == Counter({0: 1})
    for kind, number in {
        DagsterEventType.RUN_START: 1,
        DagsterEventType.STEP_SUCCESS: 5,
        DagsterEventType.STEP_SKIPPED: 1,
        DagsterEventType.ASSET_MATERIALIZATION: 3,
        DagsterEventType.RUN_SUCCESS: 1,
    }.items():
        assert len(ran.of_type(kind)) == number, kind
    assert ran.run.tags["agentflow/handled_error"] == "broken"
    assert set(ran.values) == {"debit", "way", "broken", "mended", "credit"}


def died_at(bench: Bench, ledger: Ledger, death: Death) -> bool:
    """Has a run's process die, and the run go on; False where there is no such point."""
    bench.serve(TRANSFER)
    bench.secrets.variables.update(ledger.variables)
    run = process_lane.create(bench, "transfer", {})
    work = partial(carry_out, process_lane.asked_for(run))
    died = process_lane.in_own_process(bench, dying(death, work))
    if died == -signal.SIGKILL:
        assert goes_on(bench, run.run_id) == 0
    assert_done_once(bench.ran(run.run_id), ledger)
    return died == -signal.SIGKILL


@pytest.mark.parametrize("death", POINTS, ids=str)
def test_it_dies_at_one_point(bench: Bench, ledger: Ledger, death: Death) -> None:
    assert died_at(bench, ledger, death)


@pytest.mark.soak
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, MOST_COMMITS + 1))
def test_it_dies_at_every_point(
    bench: Bench, ledger: Ledger, when: Literal["before", "after"], number: int
) -> None:
    assert died_at(bench, ledger, Death(when, "", number)) or number > FEWEST


@pytest.mark.parametrize(
    ("policy", "status", "calls"), [("retry", "SUCCESS", 2), ("fail", "FAILURE", 1)]
)
def test_what_follows_where_an_effect_is_not_known(
    bench: Bench, ledger: Ledger, policy: str, status: str, calls: int
) -> None:
    run_id = left_unknown(bench, ledger, policy)
    assert goes_on(bench, run_id) == 0
    ran = bench.ran(run_id)
    assert ran.status == status
    assert ledger.calls("/debit").total() == calls
    assert len(ledger.calls("/debit")) == 1
    assert ("was under way when its process ended" in ran.told()) == (policy == "fail")


@pytest.mark.parametrize(("approved", "status"), [(True, "SUCCESS"), (False, "FAILURE")])
def test_somebody_says_whether_it_is_repeated(
    bench: Bench, ledger: Ledger, *, approved: bool, status: str
) -> None:
    run_id = left_unknown(bench, ledger, "review")
    with open_stores(bench.database_url, bench.artifacts) as own:
        going = process_lane.forked(bench, partial(go_on, run_id, Ending("was killed.")))
        (wait,) = wait_until(lambda: own.waits.waits(run_id=run_id))
        assert ledger.calls("/debit").total() == 1
        own.waits.decide(wait.id, {"approved": approved}, by="mara")
        going.join()
    assert bench.ran(run_id).status == status
    assert ledger.calls("/debit").total() == 1 + approved


class ChargedModel:
    """Charges its calls; the process of the first dies while it is open."""

    def __init__(self, ledger: PostgresLedger, mark: Path) -> None:
        self._ledger = ledger
        self._mark = mark

    async def complete(self, request: ModelRequest, listener: object = None) -> ModelReply:
        assert request.caller is not None
        planned = PlannedCall(request.caller, "acme", "one", most_usd=Decimal("0.5"))
        reservation = await self._ledger.reserve(planned)
        if not self._mark.exists():
            self._mark.touch()
            await self._ledger.flush()
            kill_self()
        usage = Usage(7, 3, Decimal("0.25"), 12.5, "one", "acme")
        reservation.settle(usage, "answered")
        return ModelReply("Well.", None, usage)


def test_a_call_that_was_open_counts_as_lost(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would stay open, and be counted in no budget of a month."""
    bench.serve(CHARGED)
    model: Any = ChargedModel(bench.stores.ledger, tmp_path / "died")
    monkeypatch.setattr(bench, "model", model)
    run = process_lane.create(bench, "charged")
    work = partial(carry_out, process_lane.asked_for(run))
    assert process_lane.in_own_process(bench, work) == -signal.SIGKILL
    calls = partial(bench.stores.account.calls, run=run.run_id)
    assert [row["state"] for row in calls().to_pylist()] == ["open"]
    assert goes_on(bench, run.run_id) == 0
    assert bench.ran(run.run_id).status == "SUCCESS"
    told = wait_until(lambda: rows if len(rows := calls().to_pylist()) == 2 else [])
    assert {row["state"]: row["cost_usd"] for row in told} == {
        "lost": Decimal("0.5"),
        "answered": Decimal("0.25"),
    }


def left_unknown(bench: Bench, ledger: Ledger, policy: str) -> str:
    """A run whose process died between its call and what was to be kept of it."""
    bench.serve(PAYS.replace("POLICY", policy))
    bench.secrets.variables.update(ledger.variables)
    run = process_lane.create(bench, "payer")
    marks = 0 if policy == "retry" else 1  # That the step has begun is kept before its effect.
    work = partial(carry_out, process_lane.asked_for(run))
    died = process_lane.in_own_process(bench, dying(Death("before", "output", 2 + marks), work))
    assert died == -signal.SIGKILL
    assert ledger.calls("/debit").total() == 1
    return run.run_id


def goes_on(bench: Bench, run_id: str) -> int | None:
    return process_lane.in_own_process(bench, partial(go_on, run_id, Ending("was killed.")))


def test_one_that_kills_its_process_each_time_fails(bench: Bench) -> None:
    """A process that stops with who had started it is no fault of the run."""
    bench.serve(PAYS.replace("POLICY", "retry"))
    run = process_lane.create(bench, "payer")
    work = partial(carry_out, process_lane.asked_for(run))
    killed = dying(Death("after", "STEP_START"), work)
    assert process_lane.in_own_process(bench, killed) == -signal.SIGKILL
    for ending in [Ending("stopped.", stopped=True), *[Ending("was killed.")] * MOST]:
        work = partial(go_on, run.run_id, ending)
        killed = dying(Death("after", "STEP_RESTARTED"), work)
        assert process_lane.in_own_process(bench, killed) == -signal.SIGKILL
        assert bench.ran(run.run_id).status == "STARTED"
    assert goes_on(bench, run.run_id) == 0
    ran = bench.ran(run.run_id)
    assert ran.status == "FAILURE"
    assert f"It has gone on {MOST} times without a step that ended." in ran.told()


def test_a_run_that_it_had_started_goes_on_too(bench: Bench, ledger: Ledger) -> None:
    bench.serve(TRANSFER, ASKS)
    bench.secrets.variables.update(ledger.variables)
    run = process_lane.create(bench, "asker")
    work = partial(carry_out, process_lane.asked_for(run))
    # The outputs before: the input of either run, and what the first step left.
    died = process_lane.in_own_process(bench, dying(Death("after", "output", 4), work))
    assert died == -signal.SIGKILL
    assert goes_on(bench, run.run_id) == 0
    (child,) = [each for each in bench.instance.get_runs() if each.run_id != run.run_id]
    assert bench.ran(run.run_id).status == "SUCCESS"
    assert_done_once(bench.ran(child.run_id), ledger)
    assert ledger.calls("/debit").total() == 1


def test_one_that_is_to_be_canceled_is(bench: Bench) -> None:
    bench.serve(PAYS.replace("POLICY", "retry"))
    run = process_lane.create(bench, "payer")
    work = partial(carry_out, process_lane.asked_for(run))
    killed = dying(Death("after", "STEP_START"), work)
    assert process_lane.in_own_process(bench, killed) == -signal.SIGKILL
    bench.instance.report_run_canceling(bench.ran(run.run_id).run)
    assert goes_on(bench, run.run_id) == 0
    assert bench.ran(run.run_id).status == "CANCELED"
