"""Takes the screenshots of README and guides anew: `make screenshots`. Needs Debian's chromium.

Everything in them is real: the demo's runs in Dagster's UI, a run that was begun by the form, and a
notebook that was written and deployed for them.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import nbformat
from playwright.sync_api import expect

from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.announcement import announced
from agentflow_dagster.operations.components import Ports
from agentflow_dagster.operations.demo import demo
from agentflow_dagster.operations.platform import start_platform
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.scaffold import scaffold
from tests.support.chromium import chromium
from tests.support.jupyterlab import jupyterlab
from tests.support.lab_page import LabPage
from tests.support.parcel_desk import ParcelDesk, call, see_run

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


RUN = """\
from agentflow_dagster.jupyter.project_widgets import run_panel
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.project import Project

run_panel(Project.find(), all_kinds(), "support-triage")
"""


def take_widgets(page: Page, address: str, project: Path) -> None:
    """A run that was begun by the form, on a platform of its own."""
    files = cast("Any", nbformat)  # it has no types
    content = files.v4.new_notebook(cells=[files.v4.new_code_cell(RUN.strip())])
    content.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    files.write(content, project / "notebooks" / "try_it.ipynb")
    page.goto(address.replace("invoice_check", "try_it") + "&reset")
    expect(page.get_by_text("| Idle")).to_be_visible()
    page.get_by_role("button", name="No", exact=True).click()  # no news
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.get_by_role("tab", name=re.compile("File Browser")).click()
    form = page.get_by_role("form", name="Run support-triage")
    form.get_by_label("body").fill("How do I post a form with a file in one of its fields?")
    form.get_by_role("button", name="Run").click()
    run = page.get_by_role("region", name="Run", exact=True)
    expect(run.get_by_text("succeeded", exact=True)).to_be_visible(timeout=180_000)
    expect(form.get_by_role("button", name="Run")).to_be_enabled()
    run.locator("summary").click()
    log = _box(run.get_by_role("log"))
    _resize(page, log["y"] + log["height"] + 60)
    page.get_by_text("support-triage", exact=True).first.scroll_into_view_if_needed()
    _save(page, "widgets")


def take_parcel_desk(folder: Path) -> None:
    """A notebook from its first cell to its second version in production."""
    root = folder / "parcels"
    scaffold(root)
    for file in (root / "notebooks").glob("*.*"):
        file.unlink()
    project = Project.find(root)
    with (
        announced(project) as announce,
        start_platform(project, Ports.free(), progress=print) as platform,
        jupyterlab(project, folder / "jupyter-of-parcels") as address,
        chromium(width=1000, height=1700) as browser,
    ):
        announce(platform)
        lab = LabPage(browser.new_page(), address.replace("/invoice_check.ipynb", ""))
        lab.page.get_by_role("tab", name=re.compile("File Browser")).click()
        desk = ParcelDesk(lab, _look)
        desk.write()
        desk.edit()
        desk.ship()
        run = call(project, platform)
        dagster = browser.new_page()
        dagster.set_viewport_size({"width": WIDTH, "height": 1060})
        dagster.goto(platform.client.url)
        dagster.get_by_text("Hide navigation").click()
        see_run(dagster, platform, run["runId"])
        dagster.mouse.move(5, 700)
        _save(dagster, "notebook-run")
        dagster.close()
        desk.open(run["runId"])
        desk.promote()


def _look(name: str, first: Locator, last: Locator) -> None:
    """Saves the cells from the first to the last."""
    page = first.page
    page.mouse.click(990, 1500)  # where nothing is, so that no cell's toolbar shows
    first.evaluate("cell => cell.scrollIntoView({block: 'start'})")
    top, end = _box(first), _box(last)
    clip: FloatRect = {
        "x": top["x"],
        "y": top["y"],
        "width": top["width"],
        "height": end["y"] + end["height"] - top["y"],
    }
    _save(page, f"notebook-{name}", clip)


def _resize(page: Page, height: float) -> None:
    page.set_viewport_size({"width": WIDTH, "height": round(height)})


def _box(found: Locator) -> FloatRect:
    box = found.bounding_box()
    assert box is not None
    return box


def _save(page: Page, name: str, clip: FloatRect | None = None) -> None:
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, animations="disabled", clip=clip)
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
            take_widgets(browser.new_page(), address, project)
        take_parcel_desk(Path(folder))


if __name__ == "__main__":
    main()
