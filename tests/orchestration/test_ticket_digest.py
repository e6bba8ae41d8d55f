"""The sample `ticket-digest`: every day of its partitions, run as its job's backfill runs them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.orchestration.bench import Bench

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_days_of_the_digest(bench: Bench) -> None:
    bench.serve((NOTEBOOKS / "ticket_digest.agent.yaml").read_text())
    bench.data.mkdir(parents=True)
    shutil.copy(NOTEBOOKS / "data" / "tickets.jsonl", bench.data)
    job = bench.repository.get_job("ticket_digest_job")
    assert job.partitions_def is not None
    keys = list(job.partitions_def.get_partition_keys())
    assert (keys[0], keys[-1], len(keys)) == ("2026-01-05", "2026-01-12", 8)
    digests: list[str] = []
    for key in (keys[0], keys[-1]):
        tags = dict(job.get_tags_for_partition_key(key, None))
        ran = bench.launch("ticket_digest_job", config={}, tags=tags)
        assert ran.status == "SUCCESS"
        digests.append(str(ran.values["digest"].value))
    assert "2026-01-05: 10 tickets" in digests[0]
    assert "- T001 Consult" in digests[0]
    assert "- T010" in digests[0]
    assert "2026-01-12: 10 tickets" in digests[1]
    assert "- T080" in digests[1]
