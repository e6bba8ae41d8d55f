"""The sample notebooks, each by stock papermill and as a run of Dagster's: equal outputs.

`invoice_check` has tests of its own (`tests/jupyter`, `tests/e2e`).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import nbformat
import papermill  # pyright: ignore[reportMissingTypeStubs]
import pytest
from dagster import AssetCheckSeverity, DagsterEventType

from agentflow_dagster.engine.outputs import agent_outputs
from agentflow_dagster.models import ModelPlane
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.check import check_file

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Bench, Ran

ROOT = Path(__file__).parents[2]
RESULT = "RESULT "
files = cast("Any", nbformat)  # neither library has types
execute_notebook = cast("Any", papermill).execute_notebook


@dataclass(frozen=True)
class Case:
    """A run of a notebook.

    Args:
        name: Its file's stem.
        outputs: The agent's outputs as Python says them, by name.
        given: What it is given.
        expected: Some of its outputs.
        partition: Which one.
    """

    name: str
    outputs: dict[str, str]
    given: JsonObject
    expected: dict[str, Any]
    partition: str | None = None


def quality(day: str, **expected: object) -> Case:
    names = ("day", "usable", "broken", "text")
    given: JsonObject = {"partition_key": day}
    return Case("data_quality", {n: n for n in names}, given, expected, partition=day)


def research(given: JsonObject, **expected: object) -> Case:
    return Case("research_summary", {"report": "text", "found": "found"}, given, expected)


def mail(given: JsonObject, by: str, **expected: object) -> Case:
    reply = {"ticket": "reply", "letter": "letter['text']"}[by]
    outputs = {"topic": "topic['label']", "title": "title", "reply": reply, "by": "done"}
    return Case("tutorial", outputs, given, expected)


BROKEN = [
    *("eight_readings_of_three_meters", "nothing_is_missing", "what_a_meter_can_count"),
    "counted_once",
]
CASES = [
    quality("2026-03-04", usable=False, broken=BROKEN),
    pytest.param(quality("2026-03-02", usable=True, broken=[]), marks=pytest.mark.soak),
    research({}, found=["T005", "T009", "T033", "T043"]),
    pytest.param(research({"question": "Zebras?"}, found=[]), marks=pytest.mark.soak),
    mail({}, "ticket", topic="bug"),
    pytest.param(
        mail({"mail": "My card was charged twice. When do I get a refund?"}, "letter",
             topic="billing"),
        marks=pytest.mark.soak,
    ),
]  # fmt: skip


def by_papermill(case: Case, work: Path) -> tuple[dict[str, Any], Any]:
    """The outputs, and the executed notebook."""
    content = files.read(ROOT / "notebooks" / f"{case.name}.ipynb", as_version=4)
    told = ", ".join(f"{name!r}: {source}" for name, source in case.outputs.items())
    tell = f"import json; print({RESULT!r} + json.dumps({{{told}}}))"
    content.cells.append(files.v4.new_code_cell(tell))
    source = work / "source.ipynb"
    files.write(content, source)
    done = execute_notebook(
        source, work / "target.ipynb", dict(case.given), cwd=ROOT, progress_bar=False
    )
    text = "".join(output["text"] for output in done.cells[-1].outputs)
    return json.loads(text.partition(RESULT)[2]), done


def by_dagster(case: Case, bench: Bench) -> tuple[dict[str, Any], Ran]:
    """The outputs, and the run. Of a partitioned agent it is given the partition alone."""
    plan = check_file(ROOT / "notebooks" / f"{case.name}.ipynb", builtin_kinds()).require()
    agent = plan.agent
    bench.serve(agent.model_dump(mode="json", by_alias=True, exclude_unset=True))
    shutil.copytree(ROOT / "notebooks" / "data", bench.data)
    if case.partition is None:
        ran = bench.run(agent.name, case.given)
    else:
        job = bench.repository.get_job(f"{agent.name.replace('-', '_')}_job")
        tags = dict(job.get_tags_for_partition_key(case.partition, None))
        ran = bench.launch(job.name, config={}, tags=tags)
    assert ran.status == "SUCCESS", ran.told()
    return agent_outputs(agent, ran.run_id, {}, ran.values, {}), ran


@pytest.mark.filterwarnings("ignore::DeprecationWarning:papermill")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{len(case.given)}")
def test_equal_outputs(
    case: Case, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "model", ModelPlane({}))
    given, executed = by_papermill(case, tmp_path)
    outputs, ran = by_dagster(case, bench)
    assert outputs == given
    assert {name: outputs[name] for name in case.expected} == case.expected
    if case.name == "data_quality":
        told = ran.of_type(DagsterEventType.ASSET_CHECK_EVALUATION)
        checks = [event.asset_check_evaluation_data for event in told]
        assert len(checks) == 5
        assert {c.check_name for c in checks if not c.passed} == set(case.expected["broken"])
        assert {c.severity for c in checks if not c.passed} <= {AssetCheckSeverity.WARN}
    if case.name == "tutorial":
        cells = [c for c in executed.cells if c.id in {"check", "graph", "tests"}]
        shown = {cell.id: cell.outputs[0].data["text/plain"] for cell in cells}
        assert "Nothing is wrong." in shown["check"]
        assert "route [logic.switch] -> ticket (bug), letter (other)" in shown["graph"]
        assert shown["tests"].count("passed") == 2
        assert "failed" not in shown["tests"]
