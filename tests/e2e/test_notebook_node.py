"""A whole notebook as a node, in Dagster: kept as it fills, shown in the UI, backfilled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import psutil
import pytest

from agentflow_dagster.orchestration.client import FINISHED
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.orchestration.client import RunTold
    from tests.e2e.conftest import Running

# Runs are done within seconds; on a machine that does other things as well it may take minutes.
PATIENCE = 180.0
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
SALES = "day,amount\n2026-01-01,10\n2026-01-01,5\n2026-01-02,7\n2026-01-03,1\n"
AGENT = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: takings}
spec:
  partitions: {daily: {start: "2026-01-01", end: "2026-01-04"}}
  nodes:
    report:
      kind: code.notebook
      with: {notebook: books/takings.ipynb, outputs: {total: {type: integer}, day: {type: string}}}
  outputs: {total: "{{report.output.total}}", day: "{{report.output.day}}"}
"""
CELLS = (
    "partition_key: str = ''\npartition_start: str = ''",
    "import pandas as pd\nsales = pd.read_csv('sales.csv', dtype={'day': str})",
    """\
from agentflow_dagster import glue
glue('total', int(sales[sales.day == partition_key].amount.sum()))
glue('day', partition_start[:10])""",
)
PROBES = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: probes}
spec:
  inputs: {type: object, properties: {what: {type: string, default: fail}}}
  nodes:
    probe:
      kind: code.notebook
      with: {notebook: books/probe.ipynb, parameters: {what: "{{input.what}}"}}
      timeout: 60s
"""
PROBE_CELLS = (
    "what: str = ''",
    "import os\nprint('pid', os.getpid())",
    "if what == 'fail':\n    raise ValueError('as asked')\nimport time\ntime.sleep(90)",
)
QUERY = """
query Made($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  assetMaterializations(limit: 9) { runId metadataEntries {
    label ... on NotebookMetadataEntry { path } } } } } }"""
BACKFILL = """
mutation Backfill($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
EVENTS = """
query Events($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
  ... on MessageEvent { message }
  ... on ExecutionStepFailureEvent { error { message } failureMetadata { metadataEntries {
    label ... on NotebookMetadataEntry { path }
    ... on MarkdownMetadataEntry { mdStr } } } } } } } }"""


def ask(running: Running, query: str, **variables: object) -> dict[str, Any]:
    client = running.platform.client
    answer = client.http.post(
        f"{client.url}/graphql", json={"query": query, "variables": variables}
    ).json()
    assert "errors" not in answer, answer
    return answer["data"]


def ended(running: Running, backfill: str) -> list[RunTold]:
    """The runs of a backfill, once there are all and all have ended."""
    runs = running.platform.client.runs({"dagster/backfill": backfill})
    print([(run["runId"], run["status"]) for run in runs])
    over = len(runs) == len(DAYS) and all(run["status"] in FINISHED for run in runs)
    return runs if over else []


def write_notebook(running: Running, name: str, *sources: str) -> None:
    folder = running.project.root / "notebooks" / "books"
    folder.mkdir(exist_ok=True)
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / name)


def deploy(running: Running, name: str, text: str) -> Plan:
    file = running.project.root / "notebooks" / name
    file.write_text(text)
    (plan,) = running.deploy(name)
    return plan


def test_a_backfill_runs_a_notebook_over_a_partitioned_table(running: Running) -> None:
    write_notebook(running, "takings.ipynb", *CELLS)
    (running.project.root / "notebooks" / "books" / "sales.csv").write_text(SALES)
    plan = deploy(running, "takings.agent.yaml", AGENT)
    repository = {"repositoryName": "__repository__", "repositoryLocationName": "agentflow"}
    selector = {
        "partitionSetName": "takings_job_partition_set",
        "repositorySelector": repository,
    }
    told = ask(running, BACKFILL, params={"selector": selector, "partitionNames": list(DAYS)})
    backfill = told["launchPartitionBackfill"]["backfillId"]
    runs = wait_until(lambda: ended(running, backfill), seconds=PATIENCE)
    records = [running.finish(plan, str(run["runId"])) for run in runs]
    assert [r.status for r in records] == ["SUCCESS"] * 3, [r.error for r in records]
    given = sorted((r.outputs["day"], r.outputs["total"]) for r in records)
    assert given == [("2026-01-01", 15), ("2026-01-02", 7), ("2026-01-03", 1)]

    made = ask(running, QUERY, key={"path": ["takings", "report"]})["assetNodeOrError"]
    for one in made["assetMaterializations"]:
        (path,) = [e["path"] for e in one["metadataEntries"] if e["label"] == "executed notebook"]
        assert one["runId"] in path
        executed = nbformat.read(Path(path), as_version=4)
        nbformat.validate(executed)
        assert executed.cells[-1].outputs[0].metadata.agentflow.glue == "total"
        page = running.platform.client.http.get(
            f"{running.platform.client.url}/notebook",
            params={"path": path, "repoLocName": "agentflow"},
        )
        assert page.status_code == 200
        assert "read_csv" in page.text


@pytest.fixture
def probes(running: Running) -> Plan:
    write_notebook(running, "probe.ipynb", *PROBE_CELLS)
    return deploy(running, "probes.agent.yaml", PROBES)


def test_a_cell_that_fails_ends_the_run_and_what_there_is_is_linked(
    running: Running, probes: Plan
) -> None:
    record = running.run(probes, {"what": "fail"})
    assert record.status == "FAILURE"
    assert "books/probe.ipynb: cell 3 raised ValueError: as asked" in record.nodes[0].error
    events = ask(running, EVENTS, id=record.run_id)["logsForRun"]["events"]
    lines = [e["message"] for e in events if "message" in e]
    assert any(line.endswith("books/probe.ipynb: cell 1 of 4") for line in lines)
    (failed,) = [e["failureMetadata"] for e in events if e.get("failureMetadata")]
    known = {e["label"]: e for e in failed["metadataEntries"]}
    assert "raise ValueError('as asked')" in known["traceback"]["mdStr"]
    executed = nbformat.read(Path(known["executed notebook"]["path"]), as_version=4)
    assert any("pid" in str(cell.get("outputs")) for cell in executed.cells)


def test_canceled_its_kernel_ends_and_what_there_is_is_kept(running: Running, probes: Plan) -> None:
    run_id = running.launch(probes, {"what": "sleep"})
    place = running.project.run_files / run_id / "notebooks" / "probe-1.ipynb"
    pid = wait_until(lambda: printed(place))
    running.platform.client.terminate(run_id)
    assert running.finish(probes, run_id).status == "CANCELED"
    wait_until(lambda: not psutil.pid_exists(pid))
    executed = nbformat.read(place, as_version=4)
    assert "KeyboardInterrupt" in str(executed.cells)


def printed(place: Path) -> int:
    """The process id that the notebook has printed, once it has begun to sleep."""
    if not place.exists():
        return 0
    cells = nbformat.read(place, as_version=4).cells
    asleep = cells[-1].metadata.get("papermill", {}).get("status") == "running"
    texts = [o.text for cell in cells for o in cell.get("outputs", ()) if "text" in o]
    return int(texts[0].split()[1]) if asleep and texts else 0
