"""JupyterLab's page as its user works in it: by keyboard and mouse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


class LabPage:
    """One page of JupyterLab.

    Args:
        page: An empty page of a browser.
        address: JupyterLab's, with its token and the folder to begin in.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        news = page.locator(".Toastify__toast").get_by_role("button", name="No", exact=True)
        page.add_locator_handler(news, lambda button: button.click())
        page.goto(f"{address}&reset")  # no tabs of before
        expect(page.locator(".jp-LauncherCard").first).to_be_visible()

    @property
    def notebook(self) -> Locator:
        """The notebook in front."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def new_notebook(self, name: str) -> None:
        """Makes an empty notebook in the folder that is open, and saves it under a name."""
        self.page.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
        self.wait_for_kernel()
        self.page.keyboard.press("Control+S")
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_placeholder("File name").fill(f"{name}.ipynb")
        dialog.get_by_role("button", name="Rename and Save").click()
        expect(self.tab(f"{name}.ipynb")).to_be_visible()

    def wait_for_kernel(self) -> None:
        """Until the notebook's kernel has done what it was given."""
        expect(self.notebook.get_by_text("[*]:")).to_have_count(0)
        expect(self.page.get_by_text("| Idle")).to_be_visible()

    def tab(self, name: str) -> Locator:
        """The tab of an open file."""
        return self.page.get_by_role("main").get_by_role("tab", name=name)

    def cell(self, text: str) -> Locator:
        """The code cell that begins with a text, or has it in a line."""
        editor = self.page.locator(".jp-InputArea-editor").filter(has_text=text)
        return self.notebook.locator(".jp-CodeCell").filter(has=editor)

    def write(self, *texts: str) -> None:
        """Writes cells below the one that is active, the first into that one."""
        keyboard = self.page.keyboard
        for index, text in enumerate(texts):
            keyboard.press("Escape")
            if index:
                keyboard.press("b")
            keyboard.press("Enter")
            keyboard.insert_text(text)

    def tag(self, cell: Locator, tag: str) -> None:
        """Gives a cell a tag, in the property inspector."""
        cell.locator(".cm-content").click()
        side = self.page.get_by_role("tab", name=re.compile("Property Inspector"))
        side.click()
        tools = self.page.locator(".jp-NotebookTools")
        tools.get_by_text("Common Tools").click()
        tools.locator(".jp-CellTags-Add").click()
        self.page.keyboard.insert_text(tag)
        self.page.keyboard.press("Enter")
        expect(tools.locator(".jp-CellTags-Applied")).to_have_text(tag)
        side.click()

    def run_from_the_top(self) -> None:
        """Runs every cell that has something in it, one after the other."""
        cells = self.notebook.locator(".jp-CodeCell .cm-content")
        cells.first.click()
        for _ in range(cells.filter(has_text=re.compile(".")).count()):
            self.page.keyboard.press("Shift+Enter")
        self.wait_for_kernel()

    def change(self, cell: Locator, text: str | None = None) -> None:
        """Writes a cell anew, where a text is given, and runs it where it stands."""
        cell.locator(".cm-content").click()
        if text is not None:
            self.page.keyboard.press("Control+A")
            self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Control+Enter")

    def run_new(self, text: str) -> Locator:
        """Writes a line into a new cell at the notebook's end, and runs it: the cell."""
        last = self.notebook.locator(".jp-Cell .cm-content").last
        last.click()
        self.page.keyboard.press("Escape")
        if last.inner_text().strip():
            self.page.keyboard.press("b")
        self.page.keyboard.press("Enter")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Control+Enter")
        cell = self.cell(text)
        expect(cell.locator(".jp-OutputArea-output").first).to_be_visible()
        return cell

    def save(self) -> None:
        """Ctrl+S, and that it is saved."""
        self.page.keyboard.press("Control+S")
        expect(self.page.locator(".jp-mod-dirty")).to_have_count(0)
