"""JupyterLab in a browser, on a project of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import nbformat
import pytest
from playwright.sync_api import expect

from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.scaffold import scaffold
from tests.support.chromium import chromium
from tests.support.jupyterlab import bundle_widgets, jupyterlab

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

files = cast("Any", nbformat)  # it has no types


class Lab:
    """Opens notebooks in JupyterLab."""

    def __init__(self, root: Path, address: str, context: BrowserContext) -> None:
        self._root = root
        self._address = address
        self._context = context

    def open(self, name: str, *cells: str) -> Page:
        """A page that shows a new notebook all of whose cells were run."""
        content = files.v4.new_notebook(cells=[files.v4.new_code_cell(cell) for cell in cells])
        content.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        files.write(content, self._root / "notebooks" / f"{name}.ipynb")
        page = self._context.new_page()
        page.goto(self._address.replace("invoice_check", name) + "&reset")  # no tabs of before
        expect(page.get_by_text("| Idle")).to_be_visible()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        return page


@pytest.fixture(scope="session", autouse=True)
def bundle() -> None:
    """The widgets' program; `make` has built it, other ways of running the tests may not."""
    bundle_widgets()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[Lab]:
    folder = tmp_path_factory.mktemp("widgets")
    root = folder / "project"
    scaffold(root)
    project = Project(root, root / ".agentflow", "local", dict(os.environ))
    with jupyterlab(project, folder / "settings") as address, chromium() as context:
        yield Lab(root, address, context)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where a test leaves pictures of what it saw; printed, so that they can be looked at."""
    print(f"As seen: {tmp_path}")
    return tmp_path
