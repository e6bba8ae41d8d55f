"""The list of runs as a widget."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agentflow_dagster.errors import StoreError
from agentflow_dagster.jupyter.services import PastRun
from agentflow_dagster.jupyter.widgets.history import RunHistory

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN = PastRun("r-1", "qa", "webhook", "SUCCESS", datetime(2026, 1, 5, 9, tzinfo=UTC), 1.25, 0.0004)


def test_what_is_shown() -> None:
    shown = RunHistory("qa", lambda: [RUN])
    (row,) = shown.runs
    assert row["started_at"] == "2026-01-05T09:00:00+00:00"
    assert (row["status"], row["cost"], row["url"]) == ("SUCCESS", 0.0004, "")
    bundle, _ = shown._repr_mimebundle_()
    assert bundle.keys() == {"text/plain", "text/html"}
    assert "SUCCESS  2026-01-05 09:00:00  1.2 s  $0.0004" in bundle["text/plain"]


def test_it_is_read_anew() -> None:
    lists: list[Sequence[PastRun]] = [[], [RUN]]
    shown = RunHistory("qa", lambda: lists.pop(0))
    assert shown.runs == []
    assert "None yet" in shown.as_picture()["text/html"]
    shown._handle_custom_msg({"do": "refresh"}, [])
    shown.wait(30)
    assert len(shown.runs) == 1
    assert not shown.busy


def test_a_list_that_cannot_be_read_anew_stays() -> None:
    lists: list[Sequence[PastRun]] = [[RUN]]

    def read() -> Sequence[PastRun]:
        if not lists:
            raise StoreError("The database is away.")
        return lists.pop(0)

    shown = RunHistory("qa", read)
    shown.refresh()
    shown.wait(30)
    assert shown.problem == "The database is away."
    assert len(shown.runs) == 1
