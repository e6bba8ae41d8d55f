"""In JupyterLab an event loop is running already: awaiting a run there must work too."""

from __future__ import annotations

from typing import Any, cast

import nbformat
from nbclient import NotebookClient

v4 = cast("Any", nbformat).v4
CELL = """\
from agentflow_dagster.ports.code import CodeRequest
from agentflow_dagster.sandbox import ChildProcess
done = await ChildProcess().run(CodeRequest("x = 6 * 7", ("x",)))
print(done.outputs["x"])
"""


def test_a_run_is_awaited_in_a_cell() -> None:
    notebook = v4.new_notebook(cells=[v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    assert notebook.cells[0].outputs[0].text == "42\n"
