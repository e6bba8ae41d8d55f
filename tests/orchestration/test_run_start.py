"""The events of a run's start, which are stored at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from dagster import AssetMaterialization, EventLogEntry
from dagster._core.events import (
    ComputeLogsCaptureData,
    DagsterEvent,
    EngineEventData,
    StepMaterializationData,
)

from agentflow_dagster.orchestration.run_start import RunStart
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

RUN = "run"
BEFORE = ("ENGINE_EVENT", "PIPELINE_START", "RESOURCE_INIT_STARTED", "LOGS_CAPTURED")

MADE = StepMaterializationData(AssetMaterialization("a"), [])
DATA: dict[str, Any] = {
    "ENGINE_EVENT": EngineEventData.in_process(1),
    "RESOURCE_INIT_STARTED": EngineEventData({}),
    "RESOURCE_INIT_SUCCESS": EngineEventData({}),
    "LOGS_CAPTURED": ComputeLogsCaptureData("key", []),
    "ASSET_MATERIALIZATION": MADE,
}


def event(kind: str, run_id: str = RUN) -> EventLogEntry:
    told = DagsterEvent(kind, "job", event_specific_data=DATA.get(kind))
    return EventLogEntry(None, 20, "", run_id, time.time(), dagster_event=told)


class Stored:
    """What is stored, transaction by transaction; raises once where that is wanted."""

    def __init__(self) -> None:
        self.at_once: list[list[str]] = []
        self.fails = False

    def __call__(self, events: object) -> None:
        assert isinstance(events, list)
        if self.fails:
            self.fails = False
            raise OSError("away")
        told = [entry.dagster_event for entry in events]
        self.at_once.append([each.event_type_value for each in told])


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def start(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> Generator[RunStart]:
    """Of a run whose start takes as long as it likes."""
    monkeypatch.setattr("agentflow_dagster.orchestration.run_start._LONGEST_SECONDS", 600)
    made = RunStart(RUN, stored)
    yield made
    made.flush()


def test_they_are_stored_with_the_first_steps(start: RunStart, stored: Stored) -> None:
    assert all(start.takes(event(kind)) for kind in BEFORE)
    assert stored.at_once == []
    assert start.takes(event("STEP_START"))
    assert stored.at_once == [[*BEFORE, "STEP_START"]]
    assert not start.takes(event("STEP_START"))
    assert not start.takes(event("ENGINE_EVENT"))


@pytest.mark.parametrize("kind", ["PIPELINE_CANCELING", "ASSET_MATERIALIZATION", "STEP_SKIPPED"])
def test_they_are_stored_before_anything_else_of_the_run(
    start: RunStart, stored: Stored, kind: str
) -> None:
    assert start.takes(event("ENGINE_EVENT"))
    assert not start.takes(event(kind))
    assert stored.at_once == [["ENGINE_EVENT"]]


def test_what_is_logged_comes_after_them(start: RunStart, stored: Stored) -> None:
    assert start.takes(event("ENGINE_EVENT"))
    assert not start.takes(EventLogEntry(None, 20, "said", RUN, time.time()))
    assert stored.at_once == [["ENGINE_EVENT"]]


def test_those_of_another_run_are_not_kept(start: RunStart, stored: Stored) -> None:
    assert start.takes(event("ENGINE_EVENT"))
    assert not start.takes(event("ENGINE_EVENT", "another"))
    assert not start.takes(event("STEP_START", "another"))
    assert stored.at_once == []
    start.flush()
    assert stored.at_once == [["ENGINE_EVENT"]]


def test_a_start_that_takes_its_time_is_seen(stored: Stored) -> None:
    start = RunStart(RUN, stored)
    assert start.takes(event("RESOURCE_INIT_STARTED"))
    wait_until(lambda: stored.at_once)
    assert stored.at_once == [["RESOURCE_INIT_STARTED"]]
    assert not start.takes(event("RESOURCE_INIT_SUCCESS"))
    assert not start.takes(event("STEP_START"))


def test_what_cannot_be_stored_is_tried_again_with_the_next(
    start: RunStart, stored: Stored
) -> None:
    stored.fails = True
    assert start.takes(event("ENGINE_EVENT"))
    with pytest.raises(OSError, match="away"):
        start.flush()
    assert not start.takes(event("STEP_SKIPPED"))
    assert stored.at_once == [["ENGINE_EVENT"]]
