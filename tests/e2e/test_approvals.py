"""A run that waits for a person: in Dagster's UI, and decided from the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest
from playwright.sync_api import expect

from agentflow_dagster.operations.approvals import Said, decide, list_waits
from agentflow_dagster.operations.cancel import cancel_with
from agentflow_dagster.orchestration.names import LANE_TAG
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from agentflow_dagster.graph.plan import Plan
    from tests.e2e.conftest import Running

REFUNDS = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: refunds, description: Pays back what somebody has agreed to.}
spec:
  inputs: {type: object, required: [amount], properties: {amount: {type: number}}}
  nodes:
    consent:
      kind: human.approval
      with: {ask: "Pay {{input.amount}} back?", show: {amount: "{{input.amount}}"}}
    letter:
      kind: transform.format
      with: {template: "Paid, as {{ by }} agreed.", values: {by: "{{consent.output.by}}"}}
  outputs: {letter: "{{has(letter.output) ? letter.output.text : ''}}"}
"""
ROUNDS = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: rounds}
spec:
  nodes:
    first:
      kind: code.python
      with:
        code: |
          with open("FILE", "a") as file:
              file.write("done ")
    one: {kind: human.approval, after: [first], with: {ask: "Once?"}}
    two: {kind: human.approval, after: [one], retry: {maxAttempts: 2}, with: {ask: "Twice?"}}
    later: {kind: logic.delay, after: [two], with: {for: 4s}}
    last:
      kind: transform.format
      after: [later]
      with:
        template: "{{ a }} {{ b }}"
        values: {a: "{{one.output.by}}", b: "{{two.output.by}}"}
  outputs: {by: "{{has(last.output) ? last.output.text : ''}}"}
"""


@pytest.fixture(scope="module")
def refunds(running: Running) -> Plan:
    (running.project.root / "notebooks" / "refunds.agent.yaml").write_text(REFUNDS)
    (plan,) = running.deploy("refunds.agent.yaml")
    return plan


def suspended(running: Running, plan: Plan, lane: str = "engine") -> tuple[str, int]:
    """A run that waits, and the number of what it asks."""
    run_id = running.launch(plan, {"amount": 5}, **{LANE_TAG: lane})
    return run_id, asked(running, run_id)


def asked(running: Running, run_id: str) -> int:
    """The number of what a run asks, once it is suspended."""
    wait_until(lambda: running.platform.client.run(run_id)["status"] == "SUSPENDED")
    (wait,) = [w for w in list_waits(running.project, None) if w.run_id == run_id]
    return wait.id


@pytest.mark.parametrize("lane", ["engine", "warm"])
def test_it_goes_on_once_it_is_approved(running: Running, refunds: Plan, lane: str) -> None:
    run_id, wait_id = suspended(running, refunds, lane)
    decide(running.project, wait_id, approved=True, said=Said("mara", "as agreed"))
    record = running.finish(refunds, run_id)
    assert record.status == "SUCCESS"
    assert record.outputs == {"letter": "Paid, as mara agreed."}


@pytest.mark.parametrize("lane", ["engine", "warm"])
def test_it_is_canceled_from_the_command_line(running: Running, refunds: Plan, lane: str) -> None:
    run_id, wait_id = suspended(running, refunds, lane)
    assert cancel_with(running.platform.client, run_id) == "CANCELED"
    # Of a run with a process of its own it is closed when the engine next tidies.
    wait_until(lambda: wait_id not in {w.id for w in list_waits(running.project, "refunds")})


def test_a_process_is_given_up_as_often_as_its_run_waits(running: Running, tmp_path: Path) -> None:
    """What it had done is not done again, and to wait is no attempt."""
    (running.project.root / "notebooks" / "rounds.agent.yaml").write_text(
        ROUNDS.replace("FILE", str(tmp_path / "file"))
    )
    (plan,) = running.deploy("rounds.agent.yaml")
    run_id = running.launch(plan, {}, **{LANE_TAG: "warm"})
    pids: list[int] = []
    for _ in range(2):
        wait_id = asked(running, run_id)
        pids += [pid for pid in processes(running, run_id) if pid not in pids]
        psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], 30)
        assert not any(map(psutil.pid_exists, pids))
        decide(running.project, wait_id, approved=True, said=Said("mara", ""))
        wait_until(lambda: running.platform.client.run(run_id)["status"] != "SUSPENDED")
    record = running.finish(plan, run_id)
    assert record.status == "SUCCESS"
    assert record.outputs == {"by": "mara mara"}
    assert (tmp_path / "file").read_text() == "done "
    assert len(set(processes(running, run_id))) == 4


def processes(running: Running, run_id: str) -> list[int]:
    """Those that a run has had, in their order."""
    query = "query Told($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {"
    query += " ... on MessageEvent { message } } } } }"
    asked = {"query": query, "variables": {"id": run_id}}
    url = f"{running.platform.client.url}/graphql"
    events = httpx.post(url, json=asked, timeout=60).json()["data"]["logsForRun"]["events"]
    told = "\n".join(event["message"] for event in events)
    return [int(pid) for pid in re.findall(r"Started process for .*?\(pid: (\d+)\)", told)]


@pytest.mark.browser
def test_it_is_seen_and_terminated_in_the_ui(running: Running, refunds: Plan, page: Page) -> None:
    run_id, _ = suspended(running, refunds)
    page.goto(running.platform.client.run_url(run_id))
    expect(page.get_by_text("Suspended").first).to_be_visible()
    expect(page.get_by_text("waits for approval by anyone")).to_be_visible()
    page.get_by_role("button", name="Terminate").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Force termination")).click()
    wait_until(lambda: running.platform.client.run(run_id)["status"] == "CANCELED")
