"""One notebook, three ways to run it, equal results: in Jupyter, under papermill, in Dagster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nbformat
import papermill
import pytest

if TYPE_CHECKING:
    from pathlib import Path

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
