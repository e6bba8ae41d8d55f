"""A webhook call becomes one run that Dagster calls a success; its input decides what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.graph.check import plan_of
from agentflow_dagster.nodes import all_kinds

if TYPE_CHECKING:
    from agentflow_dagster.graph.plan import Plan
    from tests.e2e.conftest import Running

CRASH = {"subject": "Crash", "text": "The app crashes with an error as soon as I save a file."}
HOWTO = {"subject": "Export", "text": "How do I set up an export of my contacts as a CSV file?"}
LICENCE = {"subject": "Licence", "text": "Does the licence allow us to sell it in a paid product?"}


def triage(running: Running) -> Plan:
    live = {d.version.agent: d.version for d in running.platform.stores.versions.live("local")}
    return plan_of(live["support-triage"].document, all_kinds())


def test_different_tickets_take_different_branches(running: Running) -> None:
    plan = triage(running)
    answers = [running.post("/tickets", ticket) for ticket in (CRASH, HOWTO, LICENCE)]
    assert [a.status_code for a in answers] == [202, 202, 202]
    runs = [running.run_of(plan, a.json()["event_id"]) for a in answers]
    crash, howto, licence = (running.finish(plan, run_id) for run_id in runs)

    assert [r.status for r in (crash, howto, licence)] == ["SUCCESS"] * 3
    assert [crash.outputs["label"], licence.outputs["label"]] == ["bug", "licence"]
    states = {n.name: n.status for n in crash.nodes}
    assert (states["file_bug"], states["draft"]) == ("SUCCESS", "SKIPPED")
    states = {n.name: n.status for n in howto.nodes}
    assert (states["file_bug"], states["draft"]) == ("SKIPPED", "SUCCESS")
    assert running.tracker.issues[-1]["title"] == CRASH["subject"]
    replies = {str(r.outputs["answer"]) for r in (howto, licence)}
    assert len(replies) == 2
    assert HOWTO["text"] not in replies


def test_a_repeated_call_starts_no_second_run(running: Running) -> None:
    first = running.post("/tickets", CRASH, **{"Idempotency-Key": "ticket-4711"})
    again = running.post("/tickets", CRASH, **{"Idempotency-Key": "ticket-4711"})
    assert first.json()["event_id"] == again.json()["event_id"]
    assert (first.json()["duplicate"], again.json()["duplicate"]) == (False, True)


def test_a_call_that_is_no_input_is_refused(running: Running) -> None:
    answer = running.post("/tickets", {"subject": "no text"})
    assert answer.status_code == 422
    assert "text" in answer.json()["detail"]
