"""The notebook `invoice_check`: cell by cell, under papermill and as an agent, with equal results.

What is expected is computed here from the same rows with the decimals of the standard library.
"""

from __future__ import annotations

import ast
import asyncio
import csv
import io
import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import nbformat
import papermill  # pyright: ignore[reportMissingTypeStubs]
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from papermill.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
    PapermillExecutionError,
)

from agentflow_dagster.graph.check import check_agent
from agentflow_dagster.graph.inputs import complete_input
from agentflow_dagster.graph.templates import fill
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.notebook import read_agent
from agentflow_dagster.ports.code import CodeRequest
from agentflow_dagster.sandbox import ChildProcess
from agentflow_dagster.spec.document import Agent
from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from agentflow_dagster.spec.values import JsonObject, Value

files = cast("Any", nbformat)  # neither library has types
execute_notebook = cast("Any", papermill).execute_notebook

PATH = Path(__file__).parents[2] / "notebooks" / "invoice_check.ipynb"
OUTPUTS = ("lines_checked", "lines_wrong", "overcharged", "undercharged", "findings", "text")
TELL = f"import json\nprint(json.dumps({{name: globals()[name] for name in {OUTPUTS!r}}}))"


def notebook() -> NotebookNode:
    return files.read(PATH, as_version=4)


def telling() -> NotebookNode:
    """The notebook with one more cell, which prints the results."""
    content = notebook()
    content.cells.append(files.v4.new_code_cell(TELL))
    return content


def told(executed: NotebookNode) -> dict[str, Any]:
    return json.loads(executed.cells[-1].outputs[0].text)


def expected(tolerance: str) -> dict[str, Any]:
    (cell,) = [c for c in notebook().cells if "parameters" in c.metadata.get("tags", ())]
    values = {
        cast("ast.Name", s.target).id: ast.literal_eval(cast("ast.expr", s.value))
        for s in ast.parse(cell.source).body
        if isinstance(s, ast.AnnAssign)
    }
    rows = list(csv.DictReader(io.StringIO(values["invoices"])))
    findings: list[dict[str, Any]] = []
    for row in rows:
        exact = (
            Decimal(row["quantity"]) * Decimal(row["unit_price"]) * (1 + Decimal(row["tax_rate"]))
        )
        total = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
        difference = Decimal(row["stated_total"]) - total
        if abs(difference) > Decimal(tolerance):
            findings.append(
                {
                    "invoice": row["invoice"],
                    "supplier": row["supplier"],
                    "line": int(row["line"]),
                    "stated": float(row["stated_total"]),
                    "expected": float(total),
                    "difference": float(difference),
                }
            )
    over = sum(max(Decimal(str(f["difference"])), Decimal(0)) for f in findings)
    under = sum(max(-Decimal(str(f["difference"])), Decimal(0)) for f in findings)
    text = (
        f"{len(findings)} of {len(rows)} lines do not add up: {over:,.2f} EUR too much, "
        f"{under:,.2f} EUR too little."
    )
    for f in findings:
        text += (
            f"\n- {f['invoice']} line {f['line']} ({f['supplier']}): "
            f"{f['stated']:,.2f} EUR stated, {f['expected']:,.2f} EUR expected"
        )
    return {
        "lines_checked": len(rows),
        "lines_wrong": len(findings),
        "overcharged": float(over),
        "undercharged": float(under),
        "findings": findings,
        "text": text,
    }


async def as_agent(document: JsonObject, given: JsonObject) -> dict[str, Value]:
    """Runs the document's nodes in child processes, each once what it reads is there."""
    spec = cast("dict[str, Any]", document["spec"])
    scope: dict[str, Value] = {"input": cast("Value", complete_input(spec["inputs"], given))}
    waiting = dict(spec["nodes"])
    while waiting:
        name = next(
            name
            for name, node in waiting.items()
            if not any(f"{{{{{other}.output" in json.dumps(node) for other in waiting)
        )
        config = cast("dict[str, Any]", fill(waiting.pop(name)["with"], scope))
        request = CodeRequest(
            source=config["code"],
            setup=spec["defaults"]["code"]["setup"],
            inputs=config["inputs"],
            outputs=tuple(config["outputs"]),
        )
        done = await ChildProcess().run(request)
        scope[name] = {"output": dict(done.outputs)}
    return cast("dict[str, Value]", fill(spec["outputs"], scope))


def test_the_file_is_sound_and_holds_no_outputs() -> None:
    content = notebook()
    files.validate(content)
    assert len({cell.id for cell in content.cells}) == len(content.cells)
    assert all(not cell.outputs for cell in content.cells if cell.cell_type == "code")


def test_cell_by_cell() -> None:
    content = telling()
    NotebookClient(content, timeout=60, kernel_name="python3").execute()
    assert told(content) == expected("0.01")
    assert told(content)["lines_wrong"] == 4


@pytest.mark.parametrize(("given", "tolerance"), [({}, "0.01"), ({"tolerance": 0.05}, "0.05")])
def test_under_stock_papermill(tmp_path: Path, given: dict[str, float], tolerance: str) -> None:
    source, target = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    files.write(telling(), source)
    execute_notebook(source, target, parameters=given, progress_bar=False)
    assert told(files.read(target, as_version=4)) == expected(tolerance)


def test_every_node_shows_its_summary(tmp_path: Path) -> None:
    executed = execute_notebook(PATH, tmp_path / "out.ipynb", progress_bar=False)
    shown = [
        output.data["text/plain"].splitlines()[1]
        for cell in executed.cells
        if cell.source.startswith("%%node")
        for output in cell.outputs
        if output.output_type == "display_data"
    ]
    assert shown == [
        "  reads invoices",
        "  reads lines (from load), tolerance",
        "  reads checked (from check), currency",
    ]


@pytest.mark.parametrize(
    ("body", "error"),
    [("lines = 1 / 0", "ZeroDivisionError"), ("%time lines = 1", "UsageError")],
)
def test_papermill_and_nbclient_stop_at_a_node_that_fails(
    tmp_path: Path, body: str, error: str
) -> None:
    content = notebook()
    (cell,) = [c for c in content.cells if c.source.startswith("%%node load")]
    cell.source = f"%%node load\n{body}"
    source = tmp_path / "in.ipynb"
    files.write(content, source)
    with pytest.raises(PapermillExecutionError, match=error):
        execute_notebook(source, tmp_path / "out.ipynb", progress_bar=False)
    with pytest.raises(CellExecutionError, match=error):
        NotebookClient(content, timeout=60, kernel_name="python3").execute()


@pytest.mark.parametrize(("given", "tolerance"), [({}, "0.01"), ({"tolerance": 0.05}, "0.05")])
def test_as_an_agent(given: JsonObject, tolerance: str) -> None:
    document, _, diagnostics = read_agent(PATH, file="notebooks/invoice_check.ipynb")
    assert diagnostics == ()
    assert document is not None
    agent = parse_agent(document)
    assert isinstance(agent, Agent)
    assert check_agent(agent, builtin_kinds()).diagnostics == ()
    assert asyncio.run(as_agent(document, given)) == expected(tolerance)
