"""Takes the screenshots of the README anew: `make screenshots`. Needs Debian's chromium.

Everything in them is real: the demo's runs in Dagster's UI, and a notebook that has just been run.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.demo import demo
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.scaffold import scaffold
from tests.support.chromium import chromium
from tests.support.jupyterlab import jupyterlab

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page

    from agentflow_dagster.orchestration.record import RunRecord

IMAGES = Path(__file__).parent
MAX_BYTES = 400_000
WIDTH, HEIGHT = 1500, 960


def take_run(page: Page, record: RunRecord) -> None:
    """A run that filed a bug: the branch not taken is grey, figures and the skip in the events."""
    page.goto(record.url)
    expect(page.get_by_text("Finished execution of run for")).to_be_visible()
    page.get_by_role("img", name="gantt_waterfall").click()
    made = page.get_by_text("Materialized value support_triage classify")
    last = page.get_by_text('Started execution of step "support_triage.file_bug"')
    # The panes share the window's height, so each change of it moves them all a little.
    for _ in range(6):
        page.mouse.move(900, 700)
        page.mouse.wheel(0, -100_000)
        expect(made).to_be_visible()
        head = _box(page.get_by_text("TIMESTAMP"))
        page.mouse.wheel(0, _box(made)["y"] - head["y"] - head["height"] - 9)
        expect(last).to_be_visible()
        page.mouse.move(5, 700)
        _resize(page, _box(last)["y"] + 32)
    _save(page, "run")


def take_lineage(page: Page, dagster: str) -> None:
    """The agent's assets and the edges between them."""
    page.goto(f"{dagster}/locations/agentflow/asset-groups/support_triage/lineage")
    for name in ("classify", "file_bug", "draft", "done"):
        expect(page.locator("foreignObject").filter(has_text=name)).to_contain_text("Materialized")
    _save(page, "lineage")


def take_notebook(page: Page, address: str) -> None:
    """The invoice notebook after all its cells were run."""
    page.goto(address)
    expect(page.get_by_text("| Idle")).to_be_visible()
    page.get_by_role("button", name="No", exact=True).click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    expect(page.get_by_text("4 of 12 lines do not add up")).to_be_visible()
    page.get_by_role("tab", name=re.compile("File Browser")).click()
    first = page.locator(".jp-Cell").filter(has_text="%%node load")
    last = page.locator(".jp-Cell").filter(has_text="%%node check")
    # Cells out of sight are given their true height only once they come into it.
    for _ in range(6):
        last.scroll_into_view_if_needed()
        first.evaluate("cell => cell.scrollIntoView({block: 'start'})")
        panel = _box(page.locator(".jp-WindowedPanel-outer"))
        end = _box(last)
        excess = panel["y"] + panel["height"] - end["y"] - end["height"]
        assert page.viewport_size is not None
        _resize(page, page.viewport_size["height"] - excess)
    _save(page, "notebook")


def _resize(page: Page, height: float) -> None:
    page.set_viewport_size({"width": WIDTH, "height": round(height)})


def _box(found: Locator) -> FloatRect:
    box = found.bounding_box()
    assert box is not None
    return box


def _save(page: Page, name: str) -> None:
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    size = path.stat().st_size
    sys.stdout.write(f"{path.name}: {size:,} bytes\n")
    assert size < MAX_BYTES


def main() -> None:
    """Starts what is needed and takes them all."""
    root = Path(__file__).parents[2]
    with demo(Project.find(root), all_kinds(), progress=print) as (platform, records):
        filed = next(r for r in records if r.outputs.get("label") == "bug")
        with chromium(width=WIDTH, height=HEIGHT) as browser:
            page = browser.new_page()
            page.goto(platform.client.url)
            page.get_by_text("Hide navigation").click()
            take_run(page, filed)
            _resize(page, 640)
            take_lineage(page, platform.client.url)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "support"
        scaffold(project)
        with (
            jupyterlab(Project.find(project), Path(folder) / "jupyter") as address,
            chromium(width=WIDTH, height=HEIGHT) as browser,
        ):
            take_notebook(browser.new_page(), address)


if __name__ == "__main__":
    main()
