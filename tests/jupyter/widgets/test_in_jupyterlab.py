"""The widgets in real JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from tests.jupyter.widgets.conftest import Lab

pytestmark = pytest.mark.browser

GRAPH = """\
from pathlib import Path
from agentflow_dagster.jupyter.node_states import NodeState
from agentflow_dagster.jupyter.widgets.graph import show_graph
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.check import check_file
kinds = builtin_kinds()
graph = show_graph(check_file(Path("support_triage.agent.yaml"), kinds).agent, kinds)
seen = NodeState("failed", error="Seen.")
graph.observe(lambda change: graph.show({change["new"]: seen}), "selected")
graph
"""


def test_a_node_is_selected_by_mouse_and_keyboard(lab: Lab, pictures: Path) -> None:
    page = lab.open("graph", GRAPH)
    nodes = page.locator(".af-graph .react-flow__node")
    expect(nodes).to_have_count(5)
    page.screenshot(path=pictures / "graph.png")
    draft = page.locator('.react-flow__node[data-id="draft"]')
    draft.click()
    # The kernel has seen the selection, and answered with a state.
    expect(draft.get_by_text("Seen.")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator('.react-flow__node[data-id="done"]')).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    file_bug = page.locator('.react-flow__node[data-id="file_bug"]')
    expect(file_bug.get_by_text("Seen.")).to_be_visible()
    # The notebook took none of these keys.
    expect(page.locator(".jp-Cell")).to_have_count(1)
    page.screenshot(path=pictures / "selected.png")
    page.close()


def test_dark(lab: Lab, pictures: Path) -> None:
    page = lab.open("dark", GRAPH)
    box = page.locator(".af-box").first
    expect(box).to_be_visible()
    light = box.evaluate("box => getComputedStyle(box).backgroundColor")
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text("JupyterLab Dark", exact=True).click()
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    expect(box).not_to_have_css("background-color", light)
    page.screenshot(path=pictures / "dark.png")
    page.close()


MANY = """\
from agentflow_dagster.jupyter.widgets.graph import show_graph
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.spec.parse import parse_agent
chat = {"kind": "ai.chat", "with": {"prompt": "Hello"}}
nodes = {f"n{i}": {**chat, "after": [f"n{i // 3}"] if i else []} for i in range(200)}
document = {"apiVersion": "agentflow.io/v1", "kind": "Agent", "metadata": {"name": "many"}}
show_graph(parse_agent({**document, "spec": {"nodes": nodes}}), builtin_kinds())
"""


def test_a_large_graph_begins_where_it_begins(lab: Lab, pictures: Path) -> None:
    page = lab.open("many", MANY)
    expect(page.locator('.react-flow__node[data-id="n0"]')).to_be_in_viewport()
    expect(page.get_by_role("img", name="The whole graph")).to_be_visible()
    # Those out of sight are not drawn.
    nodes = page.locator(".react-flow__node")
    assert nodes.count() < 100
    page.screenshot(path=pictures / "many.png")
    page.get_by_role("button", name="Fit View").click()
    expect(page.locator('.react-flow__node[data-id="n199"]')).to_be_in_viewport()
    page.screenshot(path=pictures / "fitted.png")
    page.close()


RUN = """\
from pathlib import Path
from agentflow_dagster.graph.drawing import graph_view
from agentflow_dagster.jupyter.services import Begun, Outcome
from agentflow_dagster.jupyter.widgets.panel import RunPanel
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.ports.live_events import AssetMade, Figures, ModelSaid
from agentflow_dagster.ports.live_events import RunChanged, StepChanged
import asyncio
import time

class Told:
    def run(self, input_, *, begun, progress):
        begun(Begun("0b1c2d3e-0000-4000-8000-000000000000", "http://127.0.0.1:1/runs/0b1c2d3e"))
        return Outcome("succeeded", {"label": "bug", "got": input_})

    async def follow(self, run_id, tell):
        now = time.time()
        tell(RunChanged(1, now, run_id, "a", "started"))
        for node in ("classify", "route", "file_bug", "done"):
            tell(StepChanged(2, now, run_id, "a", node, "started"))
            if node == "classify":
                for end in (40, 400):
                    tell(ModelSaid(run_id, node, ("It seems to be a bug. " * 40)[:end]))
                    await asyncio.sleep(1)
                taken = Figures(200, 40, 0.0004, "gpt-4o-mini", "openai")
                tell(AssetMade(3, now, run_id, "a", node, node, 340, taken))
            port = "bug" if node == "route" else "result"
            tell(StepChanged(4, now, run_id, "a", node, "output", port=port))
            tell(StepChanged(5, now, run_id, "a", node, "succeeded", latency_ms=340))
        tell(StepChanged(6, now, run_id, "a", "draft", "skipped"))
        tell(RunChanged(7, now + 1.5, run_id, "a", "succeeded"))
        return "succeeded"

    def cancel(self, run_id): ...

agent = check_file(Path("support_triage.agent.yaml"), builtin_kinds()).agent
RunPanel(agent.name, agent.spec.inputs, graph_view(agent, builtin_kinds()), Told())
"""


def test_a_run_is_begun_by_keyboard_and_watched(lab: Lab, pictures: Path) -> None:
    page = lab.open("run", RUN)
    form = page.get_by_role("form", name="Run support-triage")
    body = form.get_by_label("body")
    form.get_by_role("button", name="Run").click()
    expect(form.get_by_text("This has to be filled in.")).to_be_visible()
    # What is wrong is where one goes on typing.
    expect(body).to_be_focused()
    page.screenshot(path=pictures / "problem.png")
    page.keyboard.type("It crashes when I save.")
    expect(form.get_by_text("This has to be filled in.")).to_have_count(0)
    page.keyboard.press("Control+Enter")
    run = page.get_by_role("region", name="Run", exact=True)
    said = run.get_by_label("What models say now")
    expect(said).to_contain_text("classifyIt seems to be a bug. It seems")
    expect(said.locator("pre")).to_have_css("word-break", "normal")  # JupyterLab breaks words.
    page.screenshot(path=pictures / "said.png")
    expect(run.get_by_text("succeeded", exact=True)).to_be_visible()
    expect(said).to_have_count(0)
    expect(run.get_by_text("It crashes when I save.")).to_be_visible()
    expect(run.locator('[data-id="classify"]')).to_contain_text("340 ms · 240 tok · $0.0004")
    link = run.get_by_role("link", name="Open in Dagster")
    expect(link).to_have_attribute("href", "http://127.0.0.1:1/runs/0b1c2d3e")
    run.locator("summary").click()
    log = run.get_by_role("log")
    expect(log).to_contain_text("classify succeeded in 340 ms")
    # The log is of the node that is selected.
    run.locator('[data-id="route"]').click()
    expect(log).not_to_contain_text("classify")
    expect(page.locator(".jp-Cell")).to_have_count(1)
    page.screenshot(path=pictures / "run.png")
    page.close()
