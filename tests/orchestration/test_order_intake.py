"""The sample `order-intake`: files of its folder become runs, as its sensor finds them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from dagster import build_sensor_context

if TYPE_CHECKING:
    from tests.orchestration.bench import Bench, Ran

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_the_files_of_the_sample_become_runs(bench: Bench) -> None:
    text = (NOTEBOOKS / "order_intake.agent.yaml").read_text()
    bench.serve(text.replace("read: rows", "read: rows, settle: 1ms"))
    shutil.copytree(NOTEBOOKS / "data" / "inbox", bench.data / "inbox")
    ran = {r.tags["dagster/run_key"]: r for r in [*_tick(bench), *_tick(bench)]}
    large, small = (ran[key] for key in sorted(ran))
    assert (large.status, small.status) == ("SUCCESS", "SUCCESS")
    assert large.values["total"].value == {"pieces": 53, "value": 1355.0, "unusable": []}
    assert large.values["announce"].value == {"text": "large_order.csv is a large order: 1355.00"}
    assert small.values["total"].value == {"pieces": 3, "value": 44.8, "unusable": ["C-300"]}
    assert "announce" in small.skipped


def _tick(bench: Bench) -> list[Ran]:
    sensor = bench.repository.get_sensor_def("order_intake__events")
    with build_sensor_context(
        bench.instance, resources=bench.resources, repository_def=bench.repository
    ) as context:
        requests = sensor.evaluate_tick(context).run_requests or []
    return [
        bench.launch(
            "order_intake_job",
            config=request.run_config,
            tags={**request.tags, "dagster/run_key": str(request.run_key)},
        )
        for request in requests
    ]
