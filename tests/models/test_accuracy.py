"""The figures that docs/models.md reports, held from below."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks import offline_accuracy as benchmark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.models import SentenceModel
    from agentflow_dagster.models.extractive.zero_shot import Label


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (benchmark.tickets(), benchmark.TICKET_LABELS),
        (benchmark.tickets(subject=False), benchmark.TICKET_LABELS),
        (benchmark.operations(), benchmark.SERVICES),
    ],
    ids=["tickets", "tickets, body alone", "operations"],
)
def test_at_least_twenty_points_above_the_majority_class(
    texts: Sequence[tuple[str, str]], labels: Sequence[Label], sentence_model: SentenceModel
):
    found = benchmark.measure(texts, labels, sentence_model)
    assert found.accuracy >= found.majority + 0.20


def test_every_ticket_is_whole_and_names_its_source():
    tickets = [json.loads(line) for line in benchmark.TICKETS.read_text("utf-8").splitlines()]
    labels = {label.name for label in benchmark.TICKET_LABELS}
    assert len({ticket["id"] for ticket in tickets}) == len(tickets) == 80
    for ticket in tickets:
        assert set(ticket) == {"id", "subject", "body", "label", "source"}
        assert ticket["label"] in labels
        assert ticket["body"].strip()
        assert ticket["source"].startswith("curl 7.88.1, docs/")
        assert "http://" not in ticket["body"]
        assert "@" not in ticket["body"].replace("@largefile", "")
