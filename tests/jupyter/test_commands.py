"""`%agentflow` in a real kernel, of a notebook in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.jupyter.commands import NAMES
from agentflow_dagster.notebook.writing import NewCell, notebook_text

if TYPE_CHECKING:
    from pathlib import Path

    from tests.jupyter.conftest import Kernel

CELLS = [
    NewCell("load", "%load_ext agentflow_dagster"),
    NewCell(
        "agent",
        "%%agentflow agent\nname: sums\ntests:\n"
        "  adds: {input: {n: 2}, expect: [{value: outputs.total, equals: 3}]}\n"
        "  fails: {input: {n: 2}, expect: [{value: outputs.total, equals: 4}]}",
    ),
    NewCell("parameters", "n: int = 1", ("parameters",)),
    NewCell("first", "%%node first\nx = n + 1"),
    NewCell("total", "%%node total\ntotal = x"),
]


@pytest.fixture
def notebook(kernel: Kernel, tmp_path: Path) -> Path:
    """A notebook's file, in a project of its own, as the kernel's front end would name it."""
    (tmp_path / "definitions.py").touch()
    path = tmp_path / "sums.ipynb"
    path.write_text(notebook_text(CELLS))
    kernel.run(f"%cd -q {tmp_path}\nimport os\nos.environ['JPY_SESSION_NAME'] = {str(path)!r}")
    return path


def _with(notebook: Path, old: str, new: str) -> None:
    notebook.write_text(notebook.read_text().replace(old, new))


def test_check_says_what_is_wrong_and_where(kernel: Kernel, notebook: Path) -> None:
    assert "Nothing is wrong." in kernel.run("%agentflow check").result
    _with(notebook, "total = x", "total = z")
    said = kernel.run("%agentflow check").result
    assert "cell 5  line 2  error AF612" in said
    notebook.write_text("{}")
    assert "AF601" in kernel.run("%agentflow check").result


def test_the_graph_is_drawn_of_the_file(kernel: Kernel, notebook: Path) -> None:
    said = kernel.run("%agentflow graph").result
    assert "first [code.python] -> total" in said
    _with(notebook, "total = x", "total = (")
    assert kernel.run("%agentflow graph").error.startswith("DocumentError: ")


def test_what_has_not_been_saved_does_not_count(kernel: Kernel, notebook: Path) -> None:
    kernel.run("n = 1")
    kernel.run("%%node first\nx = n + 1\n")
    assert "not what ran here" not in kernel.run("%agentflow check").result
    kernel.run("%%node first\nx = n + 2")
    assert "The file is not what ran here: first." in kernel.run("%agentflow check").result
    for line in ("run", "deploy", "test"):
        said = kernel.run(f"%agentflow {line}").error
        other = f"{notebook.name} is not what ran here: first."
        assert said.startswith(f"UsageError: {other} Save the notebook (Ctrl+S), or run it again")


def test_names_are_filled_into_a_line(kernel: Kernel, notebook: Path) -> None:
    kernel.run(f"path = {str(notebook)!r}\nos.environ.pop('JPY_SESSION_NAME')")
    assert "Nothing is wrong." in kernel.run("%agentflow check --file {path}").result


def test_tests_are_run_as_they_are_written(kernel: Kernel, notebook: Path) -> None:
    assert notebook.is_file()
    kernel.run("import agentflow_dagster.jupyter.front_end as f; f.has_front_end = lambda: False")
    kernel.run(
        "import agentflow_dagster.jupyter.commands.test as t; t.has_front_end = f.has_front_end"
    )
    said = kernel.run("%agentflow test").result
    assert "adds   passed" in said
    assert "fails  failed" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run n", "'n' gives no value. Write NAME=VALUE. Another agent is run with --agent NAME."),
        ("run --input [", "--input is not JSON"),
        ("run --input [1]", "--input must be a JSON object."),
        ("promote", "No step was opened here."),
        ("open", "required: RUN"),
        ("rnu", "%agentflow has no 'rnu'. Did you mean 'run'?"),
    ],
)
def test_what_was_written_wrongly(kernel: Kernel, notebook: Path, line: str, said: str) -> None:
    assert notebook.is_file()
    ran = kernel.run(f"%agentflow {line}")
    assert said in ran.error
    assert ran.traceback == ran.error


def test_a_link_runs_nothing(kernel: Kernel) -> None:
    kernel.run("from agentflow_dagster.jupyter.tables import Link, Table")
    cells = "[[Link('<b>', 'javascript:alert(1)'), Link('x', 'a/b.ipynb'), Link('y', 'http://z')]]"
    html = kernel.run(f"print(Table('', ('', '', ''), {cells}).as_html())").text
    assert "javascript" not in html
    assert "&lt;b&gt;" in html
    assert html.count("<a href") == 2


def test_help_of_each(kernel: Kernel) -> None:
    listed = kernel.run("%agentflow").text
    for name in NAMES:
        if name != "help":
            assert f"agentflow {name} " in listed
            assert f"agentflow {name}" in kernel.run(f"%agentflow {name} --help").text
