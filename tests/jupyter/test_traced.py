"""What ipyflow sees of `%%node` cells, from a real kernel into the agent's wiring."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

from agentflow_dagster.notebook import read_agent
from agentflow_dagster.notebook.seen import MIME, digest
from tests.jupyter.conftest import Kernel

if TYPE_CHECKING:
    from collections.abc import Generator


class Notebook:
    """Runs cells as a front end does, with their ids, and keeps what they show."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._kernel = Kernel(client)
        self.cells: list[dict[str, Any]] = []

    def run(self, source: str, *, tags: tuple[str, ...] = ()) -> dict[str, Any]:
        """Runs a new cell; gives the bundle of its last display."""
        id_ = f"c{len(self.cells)}"
        message = self._client.session.msg(
            "execute_request", {"code": source, "store_history": True, "allow_stdin": False}
        )
        message["metadata"]["cellId"] = id_
        self._client.shell_channel.send(message)
        outputs: list[dict[str, Any]] = []
        idle = False
        while not idle:
            told = self._client.get_iopub_msg(timeout=60)
            if told["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            kind, content = told["msg_type"], told["content"]
            idle = kind == "status" and content["execution_state"] == "idle"
            if kind in {"display_data", "execute_result"}:
                outputs.append({"output_type": kind, "data": content["data"], "metadata": {}})
            if kind == "error":
                outputs.append({"output_type": "error", **content})
        cell = {"cell_type": "code", "id": id_, "source": source, "outputs": outputs}
        self.cells.append({**cell, "metadata": {"tags": list(tags)}, "execution_count": None})
        return next((o["data"] for o in reversed(outputs) if "data" in o), {})

    def text(self) -> str:
        return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": self.cells})


@pytest.fixture(scope="module")
def client() -> Generator[Any]:
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def ready(client: Any) -> Any:
    Notebook(client).run("%load_ext ipyflow\n%load_ext agentflow_dagster")
    return client


@pytest.fixture
def notebook(ready: Any) -> Notebook:
    clean = "for _n in [n for n in globals() if n[0] not in '_IO' and n != 'get_ipython']:\n"
    Notebook(ready).run(f"{clean}    if _n not in ('exit', 'quit', 'open'): del globals()[_n]")
    return Notebook(ready)


def test_a_cell_runs_and_shows_what_it_always_does(notebook: Notebook) -> None:
    notebook.run("%%node first\nrows = [3, 1]")
    shown = notebook.run("\n%%node second --timeout 5s\ntotal = sum(rows)\ntotal")
    assert "reads rows (from first)" in shown["text/plain"]
    assert "makes total (4)" in shown["text/plain"]
    assert "<b>second</b>" in shown["text/html"]
    result, _ = notebook.cells[-1]["outputs"]
    assert result["data"]["text/plain"] == "4"


def test_the_output_says_what_the_cell_took(notebook: Notebook) -> None:
    notebook.run("%%node first\nrows = [3, 1]")
    notebook.run("%%node second\ntotal = sum(rows)")
    bundle = notebook.cells[-1]["outputs"][-1]["data"][MIME]
    assert bundle["text"] == digest("%%node second\ntotal = sum(rows)")
    (taken,) = bundle["takes"]
    assert taken["text"] == digest("%%node first\nrows = [3, 1]")
    assert "rows" in taken["made"]


def test_errors_show_the_authors_lines(notebook: Notebook) -> None:
    notebook.run("%%node first\nx = 1\ny = x / 0")
    (error,) = notebook.cells[-1]["outputs"]
    assert error["ename"] == "ZeroDivisionError"
    assert "3" in "".join(error["traceback"])
    notebook.run("z = 1")
    assert notebook.cells[-1]["outputs"] == []


def test_a_cell_that_cannot_ship_does_not_run(notebook: Notebook) -> None:
    notebook.run("%%node A\nmade = 1")
    assert "is not a node name" in notebook.cells[-1]["outputs"][0]["evalue"]
    shown = notebook.run("'made' in globals()")
    assert shown["text/plain"] == "False"


def test_names_made_by_exec_are_wired(notebook: Notebook) -> None:
    notebook.run("%%node first\nexec('sc' + 'ore = 2')\nlimit = 1")
    notebook.run("%%node second\nbetter = score + limit")
    document, _, found = read_agent(notebook.text(), file="a.ipynb")
    assert document is not None, [str(one) for one in found]
    nodes: Any = document
    inputs = nodes["spec"]["nodes"]["second"]["with"]["inputs"]
    assert inputs["limit"] == "{{first.output.limit}}"
    assert inputs["score"] == "{{first.output.score}}"


def test_a_value_of_another_cell_is_told(notebook: Notebook) -> None:
    notebook.run("%%node second\ny = 1")
    notebook.run("%%node first\nx = 1")
    notebook.run("x = 5")
    notebook.run("%%node third\nz = x + y")
    notebook.cells.append(notebook.cells.pop(2))  # moved behind its reader
    document, _, found = read_agent(notebook.text(), file="a.ipynb")
    assert document is not None
    assert [one.code for one in found] == ["AF629"]
    assert "node 'third' (cell 3) took 'x' from the exploration cell (cell 4)" in found[0].message


def test_what_a_node_sets_itself_it_takes_from_nobody(notebook: Notebook) -> None:
    notebook.run("%%node first\nrows = [3, 1]")
    notebook.run("%%node second\nrows = [7]\nn = len(rows)")
    bundle = notebook.cells[-1]["outputs"][-1]["data"][MIME]
    assert all("rows" not in taken["made"] for taken in bundle["takes"])
    assert bundle["makes"] == ["n", "rows"]


def test_an_edited_cell_makes_what_was_seen_void(notebook: Notebook) -> None:
    notebook.run("%%node first\nexec('sc' + 'ore = 2')\nlimit = 1")
    notebook.run("%%node second\nbetter = score + limit")
    notebook.cells[0]["source"] += "\nmore = 3"
    document, _, _ = read_agent(notebook.text(), file="a.ipynb")
    nodes: Any = document
    assert "score" not in nodes["spec"]["nodes"]["second"]["with"]["inputs"]
