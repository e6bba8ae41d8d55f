"""An agent of three nodes, from an empty notebook in JupyterLab to its second version.

Told in chapters, which a test and the screenshots of the documentation go through alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
from playwright.sync_api import expect

from agentflow_dagster.operations.token import project_token
from agentflow_dagster.orchestration.client import FINISHED
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

    from agentflow_dagster.operations.platform import Platform
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.orchestration.client import RunTold
    from tests.support.lab_page import LabPage

NAME = "parcel_desk"
TICKET = "My kettle arrived with a broken lid. Please refund the 49.90 EUR."
PARAMETERS = f'body: str = "{TICKET}"'
SORT = """\
%%node sort --kind ai.classify
---
labels:
  delivery: a parcel is late or lost
  payment: an invoice or a refund
---
{{text}}"""
CELLS = (
    "%load_ext agentflow_dagster",
    """\
%%agentflow agent
triggers:
  mail: {webhook: {path: /parcel-desk}, input: {body: "{{event.body.text}}"}}
defaults: {llm: {model: offline/extractive}}""",
    PARAMETERS,
    "%%node clean\ntext = body.strip()",
    SORT,
    "%%node answer\nline = f\"To the {sort['label']} desk: {text}\"",
)
LATER = "%%node clean\ntext = ' '.join(body.split())"
BETTER = SORT.replace("late or lost", "late, lost or came broken")


@dataclass(frozen=True)
class ParcelDesk:
    """The notebook in front of its author.

    Args:
        lab: JupyterLab, in the project's folder of notebooks.
        look: Told where there is something to see: its name, and the first and last thing of it.
    """

    lab: LabPage
    look: Callable[[str, Locator, Locator], None]

    def write(self) -> None:
        """Writes the cells into an empty notebook, and runs them from top to bottom."""
        lab = self.lab
        lab.new_notebook(NAME)
        lab.write(*CELLS)
        lab.tag(lab.cell(PARAMETERS), "parameters")
        lab.run_from_the_top()
        expect(self._shown("clean")).to_contain_text("read by sort, answer")
        expect(self._shown("sort")).to_contain_text("tokens · $0 · offline/extractive")
        expect(self._shown("sort")).to_contain_text('"label": "payment"')
        expect(self._shown("answer")).to_contain_text("reads sort from sort, text from clean")
        self.look("written", lab.cell(PARAMETERS), lab.cell("%%node answer"))

    def edit(self) -> None:
        """Edits the first node: what follows from it is marked, until it has run again."""
        lab = self.lab
        lab.change(lab.cell("%%node clean"), LATER)
        for node in ("sort", "answer"):
            expect(self._shown(node)).to_contain_text("Out of date: ")
        expect(self._shown("clean")).not_to_contain_text("Out of date")
        self.look("out-of-date", lab.cell("%%node clean"), lab.cell("%%node answer"))
        lab.run_from_the_top()
        expect(lab.notebook.get_by_text("Out of date")).to_have_count(0)

    def ship(self) -> None:
        """Saves, checks, looks at the graph, and deploys."""
        lab = self.lab
        lab.save()
        checked = lab.run_new("%agentflow check")
        expect(checked).to_contain_text("Nothing is wrong.")
        graph = lab.run_new("%agentflow graph")
        expect(graph.locator(".react-flow__node")).to_have_count(3)
        deployed = lab.run_new("%agentflow deploy")
        expect(deployed).to_contain_text("parcel_desk v1")
        expect(deployed).to_contain_text("/hooks/parcel-desk")
        self.look("shipped", checked, deployed)

    def open(self, run_id: str) -> None:
        """Opens the second node of a run by the link that `%agentflow open` shows, and runs the
        cell that loads what it was given."""
        lab = self.lab
        opened = lab.run_new(f"%agentflow open {run_id[:8]} sort")
        lab.save()
        opened.get_by_role("link").click()
        expect(lab.tab(f"parcel_desk-sort-{run_id[:8]}.ipynb")).to_be_visible()
        expect(lab.cell("%%node sort")).to_be_visible()
        lab.wait_for_kernel()
        lab.change(lab.cell("%agentflow load"))
        loaded = lab.cell("%agentflow load")
        expect(loaded).to_contain_text("sort as it was")
        expect(loaded).to_contain_text(TICKET)
        expect(loaded).to_contain_text('"label": "payment"')

    def promote(self) -> None:
        """Changes the prompt, compares, and makes it live."""
        lab = self.lab
        lab.change(lab.cell("%%node sort"), BETTER)
        shown = self._shown("sort")
        expect(shown).to_contain_text("in the run")
        expect(shown).to_contain_text('"label": "payment"')
        expect(shown).to_contain_text('"label": "delivery"')
        lab.change(lab.cell("%agentflow promote"), "%agentflow promote --deploy")
        promoted = lab.cell("%agentflow promote")
        expect(promoted).to_contain_text("parcel_desk v2")
        expect(promoted).to_contain_text("+  delivery: a parcel is late, lost or came broken")
        self.look("opened", lab.cell("%agentflow load"), lab.cell("%%node sort"))
        self.look("promoted", promoted, promoted)
        lab.save()

    def go_on(self) -> None:
        """Goes back to the notebook, which has changed on disk, and takes that change in."""
        lab = self.lab
        lab.tab(f"{NAME}.ipynb").click()
        lab.change(lab.cell("%%node clean"))
        lab.page.keyboard.press("Control+S")
        lab.page.get_by_role("dialog").get_by_role("button", name="Revert").click()
        changed = lab.cell("came broken")
        expect(changed).to_be_visible()
        lab.run_from_the_top()
        expect(self._shown("sort")).to_contain_text('"label": "delivery"')
        lab.save()
        expect(lab.cell("%agentflow deploy")).to_contain_text("v2")

    def _shown(self, node: str) -> Locator:
        """What a node's cell shows of it."""
        return self.lab.cell(f"%%node {node}").locator(".jp-OutputArea-output")


def see_run(page: Page, platform: Platform, run_id: str) -> None:
    """Finds the run in Dagster's UI: three steps, and each one's asset with tokens and cost."""
    page.goto(f"{platform.client.url}/runs")
    page.get_by_role("link", name=run_id[:8]).click()
    expect(page.get_by_text("Succeeded (3)")).to_be_visible()
    expect(page.get_by_text("3 assets")).to_be_visible()
    page.get_by_placeholder("Filter…").fill("Materialized value")
    for node in ("clean", "sort", "answer"):
        expect(page.get_by_text(f"Materialized value parcel_desk {node}.")).to_be_visible()
    expect(page.get_by_text("cost_usd")).to_have_count(3)


def call(project: Project, platform: Platform) -> RunTold:
    """Calls the agent's webhook as whoever sends mail does, and waits for the run's end."""
    accepted = httpx.post(
        f"{platform.gateway}/hooks/parcel-desk",
        json={"text": f"  {TICKET}  "},
        headers={"Authorization": f"Bearer {project_token(project)}"},
    )
    accepted.raise_for_status()
    key = {"dagster/run_key": accepted.json()["run_key"], "agentflow/agent": NAME}

    def ended() -> RunTold | None:
        return next((r for r in platform.client.runs(key) if r["status"] in FINISHED), None)

    found = wait_until(ended)
    assert found is not None
    return found
