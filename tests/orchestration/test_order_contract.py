"""The sample `order-contract`: its contract is asset checks, and a broken file books nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from dagster import DagsterEventType

if TYPE_CHECKING:
    from tests.orchestration.bench import Bench, Ran

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def checks(ran: Ran) -> dict[str, bool]:
    events = ran.of_type(DagsterEventType.ASSET_CHECK_EVALUATION)
    told = [event.asset_check_evaluation_data for event in events]
    assert all(one.blocking for one in told)
    return {one.check_name: one.passed for one in told}


def test_the_contract_of_the_sample(bench: Bench) -> None:
    bench.serve((NOTEBOOKS / "order_contract.agent.yaml").read_text())
    bench.data.mkdir(parents=True)
    for file in (NOTEBOOKS / "data").glob("orders*.jsonl"):
        shutil.copy(file, bench.data)

    kept = bench.run("order-contract", {})
    assert kept.status == "SUCCESS"
    assert kept.values["booked"].value == {
        "rows": [{"lines": 4, "pieces": 69, "value": 1673.0}],
        "count": 1,
    }
    names = {"schema", "one_line_for_each_article", "quantities_that_can_be_shipped"}
    assert checks(kept) == dict.fromkeys(names, True)

    broken = bench.run("order-contract", {"file": "orders_broken.jsonl"})
    assert (broken.status, broken.failed) == ("FAILURE", {"contract"})
    assert "booked" not in broken.values
    assert checks(broken) == dict.fromkeys(names, False)
