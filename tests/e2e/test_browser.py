"""What a person sees: runs, lineage, costs and triggers in Dagster's UI, and a notebook."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.scaffold import scaffold
from tests.support.jupyterlab import jupyterlab
from tests.support.openai_server import Scripted
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from playwright.sync_api import Page

    from agentflow_dagster.orchestration.record import RunRecord
    from agentflow_dagster.spec.values import JsonObject
    from tests.e2e.conftest import Running

pytestmark = pytest.mark.browser

CRASH: JsonObject = {
    "subject": "Crash",
    "body": "The app crashes with an error as soon as I save a file.",
}
PRICED = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: priced, description: Answers one question.}
spec:
  inputs: {type: object, required: [question], properties: {question: {type: string}}}
  defaults: {llm: {model: gpt-4o-mini}}
  nodes:
    answer: {kind: ai.chat, with: {prompt: "{{input.question}}"}}
  outputs: {text: "{{answer.output.text}}"}
"""
EDGES = """() => {
  const boxes = [...document.querySelectorAll('foreignObject')].map(box => ({
    name: box.querySelector('[data-tooltip]')?.dataset.tooltip,
    x: +box.getAttribute('x'), y: +box.getAttribute('y'),
    width: +box.getAttribute('width'), height: +box.getAttribute('height'),
  }))
  const near = (x, y) => boxes.find(box =>
    x > box.x - 30 && x < box.x + box.width + 30 && y > box.y && y < box.y + box.height)?.name
  return [...document.querySelectorAll('path[marker-end]')].map(path => {
    const numbers = path.getAttribute('d').match(/-?[\\d.]+/g).map(Number)
    return [near(...numbers.slice(0, 2)), near(...numbers.slice(-2))]
  })
}"""
COLOURED_PIXELS = """canvas => {
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  let count = 0
  for (let i = 0; i < data.length; i += 4) {
    const rgb = [data[i], data[i + 1], data[i + 2]]
    if (data[i + 3] > 200 && Math.max(...rgb) - Math.min(...rgb) > 80) count++
  }
  return count
}"""
CONTRAST = """element => {
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  let behind = element
  while (/^rgba\\(.*, 0\\)$/.test(getComputedStyle(behind).backgroundColor)) {
    behind = behind.parentElement
  }
  const shades = [light(getComputedStyle(element).color),
                  light(getComputedStyle(behind).backgroundColor)]
  return (Math.max(...shades) + 0.05) / (Math.min(...shades) + 0.05)
}"""  # as WCAG 2 defines it; 7 is its level AAA


@dataclass(frozen=True)
class Runs:
    """Finished runs that the tests look at."""

    crash: RunRecord
    cheap: RunRecord
    dear: RunRecord


@pytest.fixture(scope="module")
def runs(running: Running) -> Runs:
    (running.project.root / "notebooks" / "priced.agent.yaml").write_text(PRICED)
    triage, priced = running.deploy("support_triage.agent.yaml", "priced.agent.yaml")
    running.models.replies = _answer
    started = [
        (triage, running.launch(triage, CRASH)),
        (priced, running.launch(priced, {"question": "In short?"})),
        (priced, running.launch(priced, {"question": "At length?"})),
    ]
    return Runs(*(running.finish(plan, run_id) for plan, run_id in started))


def _answer(body: dict[str, Any]) -> Scripted:
    if "At length?" in str(body["messages"]):
        return Scripted("So be it.", tokens_in=9_000, tokens_out=4_000)
    return Scripted("Yes.", tokens_in=1_000, tokens_out=200)


def test_a_run_shows_its_steps_and_the_branch_not_taken(
    running: Running, runs: Runs, page: Page
) -> None:
    page.goto(f"{running.platform.client.url}/runs/{runs.crash.run_id}")
    expect(page.get_by_text("Finished execution of run for")).to_be_visible()
    expect(page.get_by_text("Loading run logs")).to_have_count(0)
    expect(page.get_by_text("Succeeded (4)")).to_be_visible()
    expect(page.get_by_text("Errored (0)")).to_be_visible()

    page.get_by_role("img", name="gantt_waterfall").click()
    chart = page.locator(".chart-element.box")
    steps = {f"support_triage.{n}" for n in ("classify", "route", "file_bug", "draft", "done")}

    def drawn() -> dict[str, str]:
        """Each step's shade, once the page has come to rest."""
        found: dict[str, str] = chart.evaluate_all(
            "all => Object.fromEntries(all.map("
            "e => [e.getAttribute('data-tooltip'), getComputedStyle(e).backgroundColor]))"
        )
        return found if set(found) == steps else {}

    shades = wait_until(drawn)
    skipped = shades.pop("support_triage.draft")
    assert len(set(shades.values())) == 1
    assert skipped not in shades.values()

    page.get_by_placeholder("Filter…").fill("step:support_triage.draft")
    expect(page.get_by_text('Skipped execution of step "support_triage.draft"')).to_be_visible()


def test_the_lineage_of_an_agent(running: Running, runs: Runs, page: Page) -> None:
    assert runs.crash.status == "SUCCESS"
    group = "locations/agentflow/asset-groups/support_triage"
    page.goto(f"{running.platform.client.url}/{group}/lineage")
    nodes = page.locator("foreignObject")
    for name in ("classify", "file_bug", "done"):
        expect(nodes.filter(has_text=name)).to_contain_text("Materialized")
    expect(nodes.filter(has_text="draft")).to_be_visible()
    assert sorted(page.evaluate(EDGES)) == [
        ["classify", "draft"],
        ["classify", "file_bug"],
        ["draft", "done"],
        ["file_bug", "done"],
    ]


def test_an_asset_plots_what_its_runs_cost(running: Running, runs: Runs, page: Page) -> None:
    # USD for a million tokens in and out of gpt-4o-mini: 0.15 and 0.60.
    costs = [runs.cheap.cost_usd, runs.dear.cost_usd]
    assert costs == pytest.approx([0.000_27, 0.003_75])
    assert sorted(_plotted(running)) == pytest.approx(costs)

    page.goto(f"{running.platform.client.url}/assets/priced/answer")
    row = page.get_by_role("row").filter(has_text="cost_usd")
    expect(row).to_contain_text(re.compile(r"0\.00027|0\.00375"))
    page.get_by_role("button", name="Plots").click()
    plot = page.locator("div:has(> div > span:text-is('cost_usd')) canvas")
    expect(plot).to_be_visible()
    # A line goes from one point to another; a single one would be a dot of a few pixels.
    wait_until(lambda: plot.evaluate(COLOURED_PIXELS) > 200)


def _plotted(running: Running) -> list[float]:
    """What the UI is given to plot."""
    query = """{ assetOrError(assetKey: {path: ["priced", "answer"]}) { ... on Asset {
      assetMaterializations(limit: 10) { metadataEntries {
        label ... on FloatMetadataEntry { floatValue } } } } } }"""
    client = running.platform.client
    answer = client.http.post(f"{client.url}/graphql", json={"query": query})
    events = answer.json()["data"]["assetOrError"]["assetMaterializations"]
    return [
        float(entry["floatValue"])
        for event in events
        for entry in event["metadataEntries"]
        if entry["label"] == "cost_usd"
    ]


def test_schedule_and_sensor_are_on(running: Running, page: Page) -> None:
    location = f"{running.platform.client.url}/locations/agentflow"
    switch = page.get_by_role("row").filter(has_text="Running").get_by_role("checkbox")
    page.goto(f"{location}/schedules/support_triage__weekdays")
    expect(page.get_by_text("At 09:00 AM")).to_be_visible()
    expect(page.get_by_text("Europe/Berlin")).to_be_visible()
    expect(switch).to_be_checked()

    page.goto(f"{location}/sensors/support_triage__events")
    expect(page.get_by_text("every accepted webhook call")).to_be_visible()
    expect(switch).to_be_checked()


def test_the_launchpad_knows_the_input(running: Running, page: Page) -> None:
    job = "locations/agentflow/jobs/support_triage_job"
    page.goto(f"{running.platform.client.url}/{job}/playground")
    launch = page.get_by_role("button", name="Launch Run")
    expect(page.locator(".CodeMirror").first).to_contain_text("subject: ''")
    expect(page.get_by_text('Missing required config entry "body"')).to_be_visible()
    expect(launch).to_be_disabled()

    _type(page, "{ops: {support_triage: {config: {input: {body: [1]}}}}}")
    expect(page.get_by_text('not valid for expected type "String"')).to_be_visible()
    expect(launch).to_be_disabled()

    _type(page, "{ops: {support_triage: {config: {input: {body: How do I print}}}}}")
    launch.click()
    page.wait_for_url(re.compile("/runs/"))
    expect(page.get_by_role("link", name="support_triage_job").first).to_be_visible()


def _type(page: Page, text: str) -> None:
    page.locator(".CodeMirror").first.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


@pytest.fixture
def notebook_url(tmp_path: Path) -> Generator[str]:
    """The invoice notebook in a JupyterLab started as every project starts it."""
    root = tmp_path / "project"
    scaffold(root)
    project = Project(root, root / ".agentflow", "local", dict(os.environ))
    with jupyterlab(project, tmp_path / "jupyter") as address:
        yield address


def test_a_notebook_says_what_its_nodes_do(notebook_url: str, page: Page, tmp_path: Path) -> None:
    page.goto(notebook_url)
    expect(page.get_by_text("| Idle")).to_be_visible()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    summaries = page.locator(".jp-OutputArea-output:has(b)").filter(has_text="makes ")
    expect(summaries).to_have_count(3)
    load, check, report = summaries.all()
    expect(load).to_contain_text(re.compile("DataFrame 12 . 8"))
    expect(check).to_contain_text(re.compile(r"lines\s*from load"))
    expect(report).to_contain_text("lines_wrong")
    expect(page.get_by_text("4 of 12 lines do not add up")).to_be_visible()
    assert report.locator("b").evaluate(CONTRAST) > 7
    page.screenshot(path=tmp_path / "light.png")

    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text("JupyterLab Dark", exact=True).click()
    expect(page.locator("body[data-jp-theme-light=false]")).to_have_count(1)
    assert report.locator("b").evaluate(CONTRAST) > 7
