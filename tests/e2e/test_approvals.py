"""A run that waits for a person: in Dagster's UI, and decided from the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from agentflow_dagster.operations.approvals import Said, decide, list_waits
from agentflow_dagster.operations.cancel import cancel_with
from tests.support.waiting import wait_until

if TYPE_CHECKING:
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


@pytest.fixture(scope="module")
def refunds(running: Running) -> Plan:
    (running.project.root / "notebooks" / "refunds.agent.yaml").write_text(REFUNDS)
    (plan,) = running.deploy("refunds.agent.yaml")
    return plan


def suspended(running: Running, plan: Plan) -> tuple[str, int]:
    """A run that waits, and the number of what it asks."""
    run_id = running.launch(plan, {"amount": 5})
    wait_until(lambda: running.platform.client.run(run_id)["status"] == "SUSPENDED")
    (wait,) = [w for w in list_waits(running.project, "refunds") if w.run_id == run_id]
    return run_id, wait.id


def test_it_goes_on_once_it_is_approved(running: Running, refunds: Plan) -> None:
    run_id, wait_id = suspended(running, refunds)
    decide(running.project, wait_id, approved=True, said=Said("mara", "as agreed"))
    record = running.finish(refunds, run_id)
    assert record.status == "SUCCESS"
    assert record.outputs == {"letter": "Paid, as mara agreed."}


def test_it_is_canceled_from_the_command_line(running: Running, refunds: Plan) -> None:
    run_id, wait_id = suspended(running, refunds)
    assert cancel_with(running.platform.client, run_id) == "CANCELED"
    assert wait_id not in {w.id for w in list_waits(running.project, "refunds")}


@pytest.mark.browser
def test_it_is_seen_and_terminated_in_the_ui(running: Running, refunds: Plan, page: Page) -> None:
    run_id, _ = suspended(running, refunds)
    page.goto(running.platform.client.run_url(run_id))
    expect(page.get_by_text("Suspended").first).to_be_visible()
    expect(page.get_by_text("waits for approval by anyone")).to_be_visible()
    page.get_by_role("button", name="Terminate").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Force termination")).click()
    wait_until(lambda: running.platform.client.run(run_id)["status"] == "CANCELED")
