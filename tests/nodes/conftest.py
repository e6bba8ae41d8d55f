"""Notebooks for `code.notebook`: written down, and run in kernels of the session's pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from agentflow_dagster.nodes.code_notebook import Notebook, NotebookConfig
from agentflow_dagster.notebook import PapermillNotebooks
from tests.support.contexts import context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "notebooks"


@pytest.fixture
def write(folder: Path) -> Callable[..., str]:
    """Writes a notebook of code cells; its first is tagged `parameters`."""
    folder.mkdir(exist_ok=True)

    def call(*sources: str, name: str = "report.ipynb") -> str:
        cells = [nbformat.v4.new_markdown_cell("# A report")]
        cells += [nbformat.v4.new_code_cell(source) for source in sources]
        cells[1].metadata["tags"] = ["parameters"]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / name)
        return name

    return call


@pytest.fixture
def run(folder: Path, tmp_path: Path, pool: str) -> Callable[..., Any]:
    """Runs the node; gives its output."""

    async def call(notebook: str, *, limit: float = 60, **given: Any) -> dict[str, Any]:
        told = {
            n: given.pop(n) for n in ("partition", "redacted", "tell", "memory_bytes") if n in given
        }
        config = NotebookConfig.model_validate({"notebook": notebook, **given})
        notebooks = PapermillNotebooks(folder, tmp_path / "executed", pool)
        here = context(notebooks=notebooks, timeout=limit, **told)
        done = await Notebook().run(here, config)
        assert isinstance(done.output, dict)
        return {**done.output, "path": done.notebook}

    return call
