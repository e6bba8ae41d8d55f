"""What a person does in Dagster's UI: backfills, looks at what is stale, runs one node again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from playwright.sync_api import expect

from agentflow_dagster.orchestration.client import FINISHED
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.orchestration.client import RunTold
    from agentflow_dagster.orchestration.record import RunRecord
    from tests.e2e.conftest import Running

pytestmark = pytest.mark.browser

# Runs are done within seconds; on a machine that does other things as well it may take minutes.
PATIENCE = 180.0
DAYS = ("2026-01-06", "2026-01-07", "2026-01-08")
LETTERS = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: letters, description: Answers a letter and files a note.}
spec:
  inputs: {type: object, required: [body], properties: {body: {type: string}}}
  defaults: {llm: {model: offline/extractive}}
  nodes:
    gist: {kind: ai.summarize, with: {text: "{{input.body}}", maxSentences: 1}}
    note: {kind: transform.format, with: {template: "Note: {{ g }}", values: {g: "{{gist.output.summary}}"}}}
    reply: {kind: ai.chat, with: {prompt: "Reply to: {{gist.output.summary}}"}}
    fit: {kind: logic.switch, with: {cases: {fits: "{{reply.output.text != ''}}"}}}
    letter: {kind: transform.format, after: [fit.fits], with: {template: Dear customer}}
    filed: {kind: logic.merge, with: {from: [letter, note], strategy: all}}
"""  # noqa: E501
CHANGED = [("CODE", "has a new code version")]


def test_a_partitioned_agent_is_backfilled_through_its_job(running: Running, page: Page) -> None:
    running.deploy("ticket_digest.agent.yaml")
    dagster = running.platform.client.url
    page.goto(f"{dagster}/locations/agentflow/jobs/ticket_digest_job/partitions")
    page.get_by_role("button", name="Materialize…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_placeholder("ex: 2026-01-05").fill(f"[{DAYS[0]}...{DAYS[-1]}]")
    dialog.get_by_placeholder("ex: 2026-01-05").press("Enter")
    expect(dialog.get_by_text("3 partitions")).to_be_visible()
    dialog.get_by_role("button", name="Launch backfill").click()
    backfill = launched(page, "/runs/b/")
    wait_until(lambda: backfill_ended(running, backfill), seconds=PATIENCE)
    page.reload()
    told = page.get_by_role("row").filter(has_text="ticket_digest_job")
    expect(told).to_contain_text("100% completed")
    expect(told.get_by_role("cell").nth(3)).to_have_text("3")
    expect(page.locator('[data-tooltip="Succeeded"]')).to_be_visible()

    runs = running.platform.client.runs({"dagster/backfill": backfill})
    assert {r["jobName"] for r in runs} == {"ticket_digest_job"}
    by_day = {tags_of(r)["dagster/partition"]: r["runId"] for r in runs}
    assert sorted(by_day) == sorted(DAYS)
    page.goto(f"{dagster}/assets/ticket_digest/digest?view=partitions")
    for day, first in zip(DAYS, ("T011", "T021", "T031"), strict=True):
        page.get_by_text(day, exact=True).first.click()
        expect(page.get_by_role("link", name=by_day[day][:8])).to_be_visible()
        expect(page.get_by_text("Materialized", exact=True)).to_be_visible()
        expect(shown_value(page)).to_contain_text(f"{day}: 10 tickets")
        expect(shown_value(page)).to_contain_text(first)


class Letters(NamedTuple):
    """An agent, and two runs of it that were finished one after the other."""

    plan: Plan
    older: RunRecord
    newer: RunRecord


@pytest.fixture(scope="module")
def letters(running: Running) -> Letters:
    (running.project.root / "notebooks" / "letters.agent.yaml").write_text(LETTERS)
    (plan,) = running.deploy("letters.agent.yaml")
    older = running.launch(plan, {"body": "The printer is on fire."})
    newer = running.launch(plan, {"body": "The coffee has gone cold."})
    return Letters(plan, running.finish(plan, older), running.finish(plan, newer))


def test_a_node_is_run_again_from_the_launchpad(
    running: Running, letters: Letters, page: Page
) -> None:
    """With the values of the run that is named there."""
    page.goto(f"{running.platform.client.url}/locations/agentflow/jobs/letters_job")
    select(page, "reply")
    page.locator("button:has([aria-label=arrow_drop_down])").last.click()
    page.get_by_text("Open launchpad").click()
    dialog = page.get_by_role("dialog")
    config = dialog.locator(".CodeMirror").first
    expect(config).to_contain_text("source_run: newest")
    config.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(
        f"{{ops: {{letters: {{config: {{source_run: {letters.older.run_id}}}}}}}}}"
    )
    expect(dialog.get_by_text("No errors")).to_be_visible()
    dialog.get_by_role("button", name="Materialize").click()
    page.wait_for_url(re.compile("/runs/"))
    run_id = page.url.rpartition("/")[2]
    assert_reply_alone(running, page, run_id, "letters_job", letters.older)
    page.goto(f"{running.platform.client.url}/assets/letters/reply")
    expect(shown_value(page)).to_contain_text("printer is on fire")


def test_a_node_is_run_again_from_the_asset_graph(
    running: Running, letters: Letters, page: Page
) -> None:
    """By two clicks, with the values of the newest run, though the agent requires an input."""
    group = "locations/agentflow/asset-groups/letters"
    page.goto(f"{running.platform.client.url}/{group}/lineage")
    select(page, "reply").click()
    run_id = launched(page, "/runs/")
    assert_reply_alone(running, page, run_id, "__ASSET_JOB", letters.newer)
    page.goto(f"{running.platform.client.url}/assets/letters/reply")
    expect(shown_value(page)).to_contain_text("coffee has gone cold")


def select(page: Page, node: str) -> Locator:
    """Selects a node of an asset graph; the button that would run it."""
    page.locator("foreignObject").filter(has_text=node).click()
    button = page.get_by_role("button", name="Materialize selected")
    expect(button).to_be_visible()
    return button


def assert_reply_alone(
    running: Running, page: Page, run_id: str, job: str, source: RunRecord
) -> None:
    """The run's page shows that one step, and says where its values came from."""
    client = running.platform.client
    wait_until(lambda: client.run(run_id)["status"] in FINISHED, seconds=PATIENCE)
    expect(page.get_by_text("Finished execution of run for")).to_be_visible()
    expect(page.get_by_text("Succeeded (1)")).to_be_visible()
    expect(page.get_by_text("Errored (0)")).to_be_visible()
    told = client.run(run_id)
    assert (told["jobName"], told["status"]) == (job, "SUCCESS")
    assert [step["stepKey"] for step in told.get("stepStats", ())] == ["letters.reply"]
    assert tags_of(told)["agentflow/source_run"] == source.run_id
    page.get_by_role("button", name="View tags and config").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(f"agentflow/source_run: {source.run_id[:8]}")).to_be_visible()
    dialog.get_by_role("button", name="OK").click()


def test_a_changed_prompt_marks_its_node_and_what_comes_after(running: Running, page: Page) -> None:
    memos = running.project.root / "notebooks" / "memos.agent.yaml"
    memos.write_text(LETTERS.replace("name: letters", "name: memos"))
    (plan,) = running.deploy("memos.agent.yaml")
    assert running.run(plan, {"body": "The lift is stuck."}).status == "SUCCESS"
    page.goto(f"{running.platform.client.url}/locations/agentflow/asset-groups/memos/lineage")
    nodes = page.locator("foreignObject")
    expect(nodes.filter(has_text="Materialized")).to_have_count(5)
    assert stale(running, "memos") == {}
    expect(page.get_by_text("Unsynced")).to_have_count(0)

    memos.write_text(memos.read_text().replace("Reply to:", "Reply kindly to:"))
    running.deploy("memos.agent.yaml")
    assert stale(running, "memos") == dict.fromkeys(("reply", "letter", "filed"), CHANGED)
    page.reload()
    for name in ("reply", "letter", "filed"):
        expect(nodes.filter(has_text=name)).to_contain_text("Unsynced (1)")
    expect(page.get_by_text("Unsynced")).to_have_count(3)
    nodes.filter(has_text="reply").get_by_text("Unsynced").hover()
    expect(page.get_by_text("has a new code version").first).to_be_visible()


def stale(running: Running, group: str) -> dict[str, list[tuple[str, str]]]:
    """Why each stale node of an agent is so, as the UI is told."""
    query = """query Stale($group: AssetGroupSelector!) { assetNodes(group: $group) {
      assetKey { path } staleStatus staleCauses { category reason } } }"""
    selector = {
        "groupName": group,
        "repositoryName": "__repository__",
        "repositoryLocationName": "agentflow",
    }
    return {
        node["assetKey"]["path"][-1]: [(c["category"], c["reason"]) for c in node["staleCauses"]]
        for node in ask(running, query, group=selector)["assetNodes"]
        if node["staleStatus"] != "FRESH"
    }


def backfill_ended(running: Running, backfill: str) -> bool:
    query = """query Backfill($id: String!) { partitionBackfillOrError(backfillId: $id) {
      ... on PartitionBackfill { status } } }"""
    status: str = ask(running, query, id=backfill)["partitionBackfillOrError"]["status"]
    return status.startswith("COMPLETED")


def ask(running: Running, query: str, **variables: object) -> dict[str, Any]:
    """What the UI is told."""
    client = running.platform.client
    answer = client.http.post(
        f"{client.url}/graphql", json={"query": query, "variables": variables}
    )
    return answer.json()["data"]


def launched(page: Page, path: str) -> str:
    """Follows the link of what the UI says it has launched; its id."""
    page.locator("a, button").filter(has_text=re.compile("^View$")).click()
    page.wait_for_url(re.compile(path))
    return page.url.rpartition("/")[2]


def shown_value(page: Page) -> Locator:
    """What an asset's page shows of a value."""
    return page.get_by_role("row").filter(has_text="preview")


def tags_of(run: RunTold) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["tags"]}
