"""papermill's own command, on agent notebooks and with our engine; and what `glue` means there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pandas as pd
import pytest

from agentflow_dagster.spec.glued import GLUE, from_output
from agentflow_dagster.spec.values import unpack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AGENT = (
    ("", "%load_ext agentflow_dagster"),
    ("parameters", 'body: str = "nothing"\nlimit: int = 3'),
    ("", "%%node words --retry 2\nwords = body.split()[:limit]"),
    ("", "%%node told\ntold = {'count': len(words), 'first': words[0]}"),
    ("", "from agentflow_dagster import glue\nglue('told', told)\nglue('raw', b'ab')"),
    ("", "import pandas as pd\nglue('frame', pd.DataFrame({'words': words}))"),
)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def call(*cells: tuple[str, str]) -> Path:
        made: list[Any] = []
        for tags, source in cells:
            made.append(nbformat.v4.new_code_cell(source))
            made[-1].metadata["tags"] = tags.split()
        kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
        path = tmp_path / "agent.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel}), path)
        return path

    return call


def command(name: str, *arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A command of this environment, as in a shell."""
    return subprocess.run(
        [f"{sys.prefix}/bin/{name}", *arguments],
        cwd=cwd,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def glued(path: Path) -> dict[str, object]:
    """What a saved notebook's cells have glued."""
    outputs = [o for cell in nbformat.read(path, as_version=4).cells for o in cell.outputs]
    found = [from_output(o.data[GLUE]) for o in outputs if GLUE in o.get("data", ())]
    return {name: unpack(value) for name, value in found}


def test_stock_papermill_runs_an_agent_notebook(write: Any, tmp_path: Path) -> None:
    source = write(*AGENT)
    given = ("-p", "body", "one two three four", "-p", "limit", "2")
    done = command("papermill", source.name, "out.ipynb", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = glued(tmp_path / "out.ipynb")
    assert found["told"] == {"count": 2, "first": "one"}
    assert found["raw"] == b"ab"
    assert isinstance(frame := found["frame"], pd.DataFrame)
    assert list(frame.words) == ["one", "two"]
    page = command("jupyter-nbconvert", "--to", "html", "out.ipynb", cwd=tmp_path)
    assert page.returncode == 0, page.stderr
    assert "one two three four" in (tmp_path / "out.html").read_text()


def test_our_engine_works_where_it_is_called_and_sees_nothing_else(
    write: Any, tmp_path: Path, pool: str
) -> None:
    cell = "open('left.txt', 'w').write(words[0])\nimport os\nprint(dict(os.environ))"
    source = write(*AGENT, ("", cell))
    given = ("--engine", "agentflow", "-p", "body", "one two")
    environment = {"AGENTFLOW_KERNELS": pool, "MY_KEY": "hidden-value"}
    done = command("papermill", *given, source.name, "out.ipynb", cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert glued(tmp_path / "out.ipynb")["told"] == {"count": 2, "first": "one"}
    assert (tmp_path / "left.txt").read_text() == "one"
    assert "hidden-value" not in (tmp_path / "out.ipynb").read_text()


def test_our_engine_keeps_what_there_is_of_a_notebook_that_fails(
    write: Any, tmp_path: Path
) -> None:
    source = write(("", "print('before')"), ("", "1 / 0"), ("", "print('after')"))
    done = command("papermill", "--engine", "agentflow", source.name, "out.ipynb", cwd=tmp_path)
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr
    said = json.dumps(nbformat.read(tmp_path / "out.ipynb", as_version=4))
    assert "before" in said
    assert "An Exception was encountered" in said


def test_glue_outside_of_a_notebook() -> None:
    said = subprocess.run(
        [
            *(sys.executable, "-X", "importtime", "-c"),
            "from agentflow_dagster import glue; glue('a', 1)",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert said.stdout.strip() == "1"
    assert "pandas" not in said.stderr
