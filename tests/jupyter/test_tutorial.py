"""The notebook `tutorial`, cell by cell: what it says is marked is marked, and the marks go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.jupyter.conftest import Kernel, Ran

PATH = Path(__file__).parents[2] / "notebooks" / "tutorial.ipynb"
NODES = ["clean", "topic", "route", "ticket", "letter"]


@pytest.fixture
def cells(kernel: Kernel) -> dict[str, str]:
    """The cells of code by their ids; those before the change have run."""
    entries = json.loads(PATH.read_text())["cells"]
    found = {e["id"]: "".join(e["source"]) for e in entries if e["cell_type"] == "code"}
    for name in list(found)[: list(found).index("change")]:
        assert kernel.run(found[name]).error == "", name
    return found


def shown(ran: Ran) -> dict[str, str]:
    """What the summaries say that a cell has brought up to date, by node."""
    texts = [bundle["text/plain"] for bundle in ran.updated]
    return {text.split()[1].rstrip(":"): text for text in texts}


def test_a_change_marks_what_follows_and_going_back_takes_the_marks_away(
    kernel: Kernel, cells: dict[str, str]
) -> None:
    changed = shown(kernel.run(cells["change"]))
    assert {n for n, text in changed.items() if "out of date: " in text} == {*NODES, "done"}
    assert "out of date: mail changed" in changed["clean"]
    back = shown(kernel.run(cells["back"]))
    assert {n for n, text in back.items() if "out of date: " not in text} == {*NODES, "done"}


def test_run_again_the_other_way_is_taken(kernel: Kernel, cells: dict[str, str]) -> None:
    kernel.run(cells["change"])
    told = {name: kernel.run(cells[name]).summary.splitlines()[0] for name in NODES}
    assert told["route"].endswith("left by other")
    assert told["ticket"] == "node ticket: skipped"
    assert "skipped" not in told["letter"]
    done = kernel.run(cells["done"])
    assert "refund" in done.summary
    assert done.error == ""


def test_its_lines_for_production_wait_to_be_asked(cells: dict[str, str]) -> None:
    lines = cells["production"].splitlines()
    assert [line.split()[2] for line in lines] == ["run", "deploy", "runs", "costs"]
    assert all(line.startswith("# %agentflow ") for line in lines)
