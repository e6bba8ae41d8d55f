"""One notebook, three ways to run it, equal results: in Jupyter, under papermill, in Dagster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import papermill
import pytest

from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.notebook.writing import NewCell, notebook_text
from agentflow_dagster.operations.check import check_text_of

if TYPE_CHECKING:
    from agentflow_dagster.graph.plan import Plan
    from tests.e2e.conftest import Running

OUTPUTS = ("lines_checked", "lines_wrong", "overcharged", "undercharged", "findings", "text")
TELL = f"import json; print('RESULT', json.dumps([{', '.join(OUTPUTS)}]))"


def by_papermill(notebook: Path, work: Path, parameters: dict[str, Any]) -> list[Any]:
    """Runs it under stock papermill (without parameters: as its cells stand, as Jupyter would)."""
    told = nbformat.read(notebook, as_version=4)
    told.cells.append(nbformat.v4.new_code_cell(TELL))
    source, target = work / "source.ipynb", work / "target.ipynb"
    nbformat.write(told, source)
    papermill.execute_notebook(source, target, parameters, progress_bar=False)
    streams = [o["text"] for o in nbformat.read(target, as_version=4).cells[-1].outputs]
    return json.loads("".join(streams).partition("RESULT ")[2])


@pytest.mark.filterwarnings("ignore::DeprecationWarning:papermill")
@pytest.mark.parametrize(
    "parameters",
    [pytest.param({}, marks=pytest.mark.soak), {"tolerance": 3.0, "currency": "CHF"}],
)
def test_equal_results(running: Running, tmp_path: Path, parameters: dict[str, Any]) -> None:
    notebook = running.project.root / "notebooks" / "invoice_check.ipynb"
    expected = by_papermill(notebook, tmp_path, parameters)
    (plan,) = running.deploy("invoice_check.ipynb")
    record = running.run(plan, parameters)

    assert record.status == "SUCCESS"
    assert [record.outputs[name] for name in OUTPUTS] == expected
    assert record.outputs["lines_checked"] == 12
    assert [n.name for n in record.nodes] == ["load", "check", "report"]


def test_the_frame_crosses_as_a_table(running: Running) -> None:
    (plan,) = running.deploy("invoice_check.ipynb")
    record = running.run(plan, {})
    stored = running.platform.stores.steps.all(record.run_id)
    value = stored["load"].value
    assert isinstance(value, dict)
    part: Any = value["lines"]
    assert part.media_type == "application/vnd.apache.arrow.stream"
    assert part.summary["rows"] == 12


def test_a_failure_names_the_cell_and_its_line(running: Running) -> None:
    cells = ["%load_ext agentflow_dagster", "%%node total --timeout 30s\nx = 1\n\ntotal = x / 0"]
    path = running.project.root / "notebooks" / "fails_in_a_cell.ipynb"
    path.write_text(notebook_text([NewCell(f"c{i}", text) for i, text in enumerate(cells)]))
    (plan,) = running.deploy(path.name)
    record = running.run(plan, {})
    place = "notebooks/fails_in_a_cell.ipynb, cell 2"
    (failed,) = record.nodes
    assert f"{place}, line 4: ZeroDivisionError: division by zero" in failed.error
    failures = running.platform.client.failures(record.run_id)
    assert any(place in failure.message for failure in failures.values())


def test_an_edit_makes_that_cells_asset_and_what_follows_stale() -> None:
    cells = [
        NewCell("a", "%%node a\nx = 1"),
        NewCell("b", "%%node b\ny = x"),
        NewCell("c", "%%node c\nz = 1"),
        NewCell("d", "%%node d --kind ai.chat\n{{y}} and {{z}}"),
    ]
    edited = [NewCell("a", "%%node a\nx = 2"), *cells[1:]]
    before, after = (
        {step.name: step.code_version for step in _plan(notebook_text(version)).steps}
        for version in (cells, edited)
    )
    assert {name for name in before if before[name] != after[name]} == {"a", "b", "d"}
    moved = _plan(notebook_text([NewCell("t", "# Text", prose=True), *reversed(cells)]))
    assert {step.name: step.code_version for step in moved.steps} == before


def _plan(text: str) -> Plan:
    return check_text_of(Path("a.ipynb"), text, builtin_kinds(), file="a.ipynb").require()
