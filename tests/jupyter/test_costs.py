"""`%agentflow costs` in a real kernel, of runs and calls in a database."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

from dagster import DagsterEvent, DagsterEventType, DagsterRun

from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.stores import lasting_stores
from agentflow_dagster.orchestration.instance import opened_instance, write_instance
from agentflow_dagster.orchestration.names import AGENT_TAG
from agentflow_dagster.stores.database_url import VARIABLE
from agentflow_dagster.stores.engine import create_engine
from agentflow_dagster.stores.ledger import PostgresLedger
from agentflow_dagster.testing import Answer, ModelServer
from tests.support.model_calls import planned, used
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.jupyter.conftest import Kernel

RUNS = [f"{number}" * 8 + "-0000-4000-8000-000000000000" for number in (1, 2, 3)]


def ran(project: Project, url: str) -> None:
    """Three runs have been made."""
    folder = write_instance(project.make_home(), queued=True)
    with opened_instance(folder, url) as instance:
        for run_id in RUNS:
            tags = {AGENT_TAG: "sums"}
            instance.add_run(DagsterRun(job_name="sums", run_id=run_id, tags=tags))
            for kind in (DagsterEventType.RUN_START, DagsterEventType.RUN_SUCCESS):
                event = DagsterEvent(event_type_value=kind.value, job_name="sums")
                instance.report_dagster_event(event, run_id=run_id)


async def called(url: str) -> None:
    """Two of them have asked models; of one call the price is not known."""
    engine = create_engine(url)
    ledger = PostgresLedger(engine)
    for run, cost in ((RUNS[0], "0.25"), (RUNS[0], "0.5"), (RUNS[1], None)):
        (await ledger.reserve(planned(run=run, agent="sums"))).settle(used(cost))
    await ledger.flush()
    await asyncio.to_thread(ledger.close)
    engine.dispose()


def test_runs_cost_what_their_account_says(
    kernel: Kernel, tmp_path: Path, database_url: str
) -> None:
    (tmp_path / "definitions.py").touch()
    kernel.run(f"%cd -q {tmp_path}\nimport os\nos.environ['{VARIABLE}'] = {database_url!r}")
    ran(Project.find(tmp_path, {VARIABLE: database_url}), database_url)
    asyncio.run(called(database_url))
    told = kernel.run("%agentflow costs sums")
    assert told.error == ""
    lines = {line.split()[0]: line.split() for line in told.result.splitlines()}
    assert lines["11111111"][-3:] == ["2", "20+10", "$0.75"]
    assert lines["22222222"][-5:] == ["1", "10+5", "price", "not", "known"]
    assert lines["33333333"][1] == "success"
    assert "1 whose price is not known" in told.result.splitlines()[-1]


PRICED = """
models:
  acme/one: {inputPerMillion: 1000, outputPerMillion: 1000, maxOutput: 200}
providers:
  acme: {baseUrl: "%s"}
"""
ASKING = """%%node said --kind ai.chat --model acme/one
Say one word."""


def test_what_is_asked_in_a_notebook_is_charged(
    kernel: Kernel, tmp_path: Path, database_url: str
) -> None:
    (tmp_path / "definitions.py").touch()
    kernel.run(f"%cd -q {tmp_path}\nimport os\nos.environ['{VARIABLE}'] = {database_url!r}")
    with ModelServer([Answer("Word.", tokens_in=10, tokens_out=5)]) as server:
        (tmp_path / "models.yaml").write_text(PRICED % server.base("acme"))
        kernel.run("%%agentflow agent\nname: words\nbudget: {perRunUsd: 1.0}\n")
        for _ in range(2):
            assert kernel.run(ASKING).error == ""
        stores = lasting_stores(Project.find(tmp_path, {VARIABLE: database_url}))
        assert stores is not None

        def charged() -> list[dict[str, object]]:
            rows = stores.account.calls(agent="words").to_pylist()
            return rows if len(rows) == 2 and {r["state"] for r in rows} == {"answered"} else []

        rows = wait_until(charged)
        assert [row["cost_usd"] for row in rows] == [Decimal("0.015")] * 2
        assert len({row["run_id"] for row in rows}) == 2
        kernel.run("%%agentflow agent\nname: words\nbudget: {perRunUsd: 0.001}\n")
        refused = kernel.run(ASKING)
        assert "budget" in refused.error
        assert len(server.received) == 2


def test_a_budget_holds_where_no_database_is(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "definitions.py").touch()
    kernel.run(f"%cd -q {tmp_path}\nimport os\nos.environ.pop('{VARIABLE}', None)")
    kernel.run("os.environ['AGENTFLOW_MONTHLY_USD'] = '0.7'")
    with ModelServer([Answer("Word.", tokens_in=10, tokens_out=90)]) as server:
        (tmp_path / "models.yaml").write_text(PRICED % server.base("acme"))
        said = [kernel.run(ASKING).error for _ in range(3)]
        assert said[:2] == ["", ""]  # Each might cost 0.55, and costs 0.1.
        assert "workspace" in said[2]
        assert len(server.received) == 2
