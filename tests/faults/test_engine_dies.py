"""The engine is killed at each point between which it commits, with many runs under way."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.faults.engine_process import Death

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.ports.stores import InboxEvent
    from agentflow_dagster.spec.values import JsonObject
    from tests.faults.ledger import Ledger
    from tests.faults.rig import Rig

pytestmark = pytest.mark.fault

MANY, FEW = 200, 10
TRANSFER = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: transfer}
spec:
  env: [LEDGER]
  inputs: {type: object, required: [n], properties: {n: {type: integer}}}
  config: {maxConcurrentExecutions: 10000}
  nodes:
    debit:
      kind: tool.http
      with: {method: POST, url: "{{env.LEDGER}}/debit", json: {n: "{{input.n}}"}}
    statement:
      kind: ai.chat
      after: [debit]
      with: {prompt: "LONG"}
    credit:
      kind: tool.http
      after: [statement]
      with: {method: POST, url: "{{env.LEDGER}}/credit", json: {n: "{{input.n}}"}}
""".replace("LONG", "entry " * 12_000)
"""Its second step leaves more than a row holds: an artifact."""
DEATHS = [
    Death("before", "begun", 1 + FEW),
    Death("after", "begun"),
    Death("before", "output"),
    Death("after", "output"),
    Death("before", "artifact", 3),
    Death("after", "artifact", 3),
    Death("before", "ended"),
    Death("after", "ended"),
]
LATER = [
    *(replace(death, number=2) for death in DEATHS[2:]),
    *(replace(death, number=4) for death in DEATHS[2:] if death.what != "ended"),
]
"""Runs that begin at once begin, go on and end in a few groups; so these begin some at a time."""
SOME = 40


def test_it_dies_at_every_point_in_turn(rig: Rig, ledger: Ledger) -> None:
    died_at(rig, ledger, DEATHS)


@pytest.mark.soak
@pytest.mark.parametrize("death", LATER, ids=str)
def test_it_dies_at_one_point(rig: Rig, ledger: Ledger, death: Death) -> None:
    died_at(rig, ledger, [death], at_once=SOME)


def died_at(rig: Rig, ledger: Ledger, deaths: Sequence[Death], *, at_once: int = MANY) -> None:
    """Has engines die, one after the other, until one can end what they have begun."""
    rig.bench.serve(TRANSFER)
    inputs: list[JsonObject] = [{"n": number} for number in range(MANY)]
    events = rig.events("transfer", inputs)
    acknowledged: set[int] = set()
    for death in deaths:
        engine = rig.start(death)
        if death == DEATHS[0]:
            acknowledged |= {event.id for event in events[:FEW] if rig.begin(event).done}
        left = rig.without_run(events)
        for first in range(0, len(left), at_once):
            acknowledged |= rig.begin_all(left[first : first + at_once])
        engine.join(60)
        assert engine.exitcode == -signal.SIGKILL, death
    rig.start()
    begun = {event.id for event in events} - {event.id for event in rig.without_run(events)}
    assert acknowledged <= begun
    rig.begin_all(rig.without_run(events))
    rig.until_ended(MANY)
    assert_done_once(rig, ledger, events)


def assert_done_once(rig: Rig, ledger: Ledger, events: list[InboxEvent]) -> None:
    """Each event has its run, each run has ended well, and each of its steps has had its effect
    once, as far as the ledger can tell."""
    runs = {str(rig.run_of(event)) for event in events}
    found = rig.bench.instance.get_runs()
    assert runs == {run.run_id for run in found}
    assert {run.status.value for run in found} == {"SUCCESS"}
    for path in ("/debit", "/credit"):
        assert ledger.entries(path) == Counter(range(len(events)))
        assert len(ledger.calls(path)) == len(events)
    told = of_each_run(rig)
    for kind, each in {"PIPELINE_START": 1, "STEP_SUCCESS": 3, "PIPELINE_SUCCESS": 1}.items():
        assert {run: told[run, kind] for run in runs} == dict.fromkeys(runs, each), kind


def of_each_run(rig: Rig) -> Counter[tuple[str, str]]:
    """How many events there are of each kind, by run."""
    count = sa.text("SELECT run_id, dagster_event_type, count(*) FROM event_logs GROUP BY 1, 2")
    engine = sa.create_engine(rig.bench.database_url)
    with engine.connect() as connection:
        found = Counter({(run, kind): n for run, kind, n in connection.execute(count)})
    engine.dispose()
    return found
