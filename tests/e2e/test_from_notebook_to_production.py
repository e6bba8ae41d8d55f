"""The whole way: a notebook from nothing in JupyterLab, in production, and back and forth again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.operations.announcement import announced
from tests.support.jupyterlab import bundle_widgets, jupyterlab
from tests.support.lab_page import LabPage
from tests.support.parcel_desk import NAME, ParcelDesk, call, see_run

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from agentflow_dagster.orchestration.client import RunTold
    from tests.e2e.conftest import Running

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(running: Running, page: Page, tmp_path: Path) -> Generator[ParcelDesk]:
    """JupyterLab on the session's project, which it finds as `agentflow up` lets itself be found;
    what there is to see is left in the test's folder."""
    bundle_widgets()

    def look(name: str, _first: Locator, _last: Locator) -> None:
        page.screenshot(path=tmp_path / f"{name}.png")

    with (
        announced(running.project) as announce,
        jupyterlab(running.project, tmp_path / "jupyter") as address,
    ):
        announce(running.platform)
        yield ParcelDesk(LabPage(page, address.replace("/invoice_check.ipynb", "")), look)


def test_from_notebook_to_production_and_back(
    running: Running, desk: ParcelDesk, page: Page
) -> None:
    desk.write()
    desk.edit()
    desk.ship()
    first = live(running)

    run = call(running.project, running.platform)
    assert (run["status"], version_of(run)) == ("SUCCESS", first)
    dagster = page.context.new_page()
    see_run(dagster, running.platform, run["runId"])
    dagster.close()

    desk.open(run["runId"])
    desk.promote()
    second = live(running)
    assert second != first
    again = call(running.project, running.platform)
    assert (again["status"], version_of(again)) == ("SUCCESS", second)
    assert [label_of(running, one) for one in (run, again)] == ["payment", "delivery"]

    desk.go_on()
    assert live(running) == second


def live(running: Running) -> str:
    """The hash of the version that is live."""
    deployed = running.platform.stores.versions.live(running.project.environment)
    (found,) = [one.version for one in deployed if one.version.agent == NAME]
    return found.hash


def label_of(running: Running, run: RunTold) -> str:
    """What the second node gave."""
    value: Any = running.platform.stores.steps.all(run["runId"])["sort"].value
    return value["label"]


def version_of(run: RunTold) -> str:
    return next(tag["value"] for tag in run["tags"] if tag["key"] == "agentflow/version")
