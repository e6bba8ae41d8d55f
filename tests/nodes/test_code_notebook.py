"""`code.notebook`: real notebooks, in real kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
import pandas as pd
import pytest

from agentflow_dagster.errors import CodeError, RunError
from agentflow_dagster.nodes.code_notebook import Notebook, NotebookConfig
from agentflow_dagster.notebook import PapermillNotebooks
from agentflow_dagster.sandbox import ChildProcess
from agentflow_dagster.spec.values import Part, unpack
from tests.support.contexts import context

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    parameters = nbformat.v4.new_code_cell("limit = 2")
    parameters.metadata["tags"] = ["parameters"]
    cells = [
        nbformat.v4.new_markdown_cell("# A report"),
        parameters,
        nbformat.v4.new_code_cell("import pandas as pd\nframe = pd.DataFrame({'n': range(limit)})"),
        nbformat.v4.new_code_cell("total = int(frame.n.sum())\n1 / limit\ntotal"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "report.ipynb")
    return tmp_path


async def run(folder: Path, **config: Any) -> dict[str, Any]:
    given = NotebookConfig.model_validate({"notebook": "report.ipynb", **config})
    notebooks = PapermillNotebooks(folder, ChildProcess())
    done = await Notebook().run(context(notebooks=notebooks, timeout=60), given)
    assert isinstance(done.output, dict)
    return done.output


async def test_its_names_are_the_output_and_the_executed_notebook_too(folder: Path) -> None:
    output = await run(folder, parameters={"limit": 4}, outputs=["total", "frame"])
    assert output["total"] == 6
    assert isinstance(unpacked := unpack(output["frame"]), pd.DataFrame)
    assert list(unpacked.n) == [0, 1, 2, 3]
    assert isinstance(output["notebook"], Part)
    executed = nbformat.reads(output["notebook"].data.decode(), as_version=4)
    assert executed.cells[-1].outputs[0].data["text/plain"] == "6"
    assert "agentflow" not in output["notebook"].data.decode()


async def test_a_cell_that_raises_is_named_as_its_author_counts(folder: Path) -> None:
    with pytest.raises(RunError) as caught:
        await run(folder, parameters={"limit": 0})
    assert "cell 4 raised ZeroDivisionError: division by zero" in str(caught.value)
    assert "1 / limit" in caught.value.traceback
    assert "\x1b" not in caught.value.traceback


async def test_a_name_that_it_does_not_leave(folder: Path) -> None:
    with pytest.raises(RunError, match="'nope' is not defined at the end"):
        await run(folder, outputs=["nope"])


@pytest.mark.parametrize("path", ["../report.ipynb", "/etc/x.ipynb", "a/../../x.ipynb", "x.txt"])
def test_no_path_leaves_the_folder(path: str) -> None:
    with pytest.raises(ValueError, match="notebook"):
        NotebookConfig.model_validate({"notebook": path})


async def test_a_link_that_leaves_the_folder(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (inner / "report.ipynb").symlink_to(folder / "report.ipynb")
    with pytest.raises(RunError, match="no notebook"):
        await run(inner)


def test_a_parameter_is_a_name() -> None:
    with pytest.raises(ValueError, match="parameters"):
        NotebookConfig.model_validate({"notebook": "a.ipynb", "parameters": {"x = 1; y": 2}})


async def test_its_time_holds(folder: Path) -> None:
    slow = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import time; time.sleep(99)")]
    )
    nbformat.write(slow, folder / "slow.ipynb")
    notebooks = PapermillNotebooks(folder, ChildProcess())
    config = NotebookConfig(notebook="slow.ipynb")
    with pytest.raises(CodeError, match="5 s"):
        await Notebook().run(context(notebooks=notebooks, timeout=5), config)
