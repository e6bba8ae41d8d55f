"""Dagster's events, read from the text in which its tables keep them.

Dagster's own objects take ten times as long to make, and Dagster a second to import.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.orchestration.names import START
from agentflow_dagster.ports.live_events import (
    AssetMade,
    EventId,
    Figures,
    RunChanged,
    StepChanged,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.live_events import LiveEvent, RunState, StepState

RUN_STATES: Mapping[str, RunState] = {
    "PIPELINE_ENQUEUED": "queued",
    "PIPELINE_DEQUEUED": "dequeued",
    "PIPELINE_STARTING": "starting",
    "PIPELINE_START": "started",
    "RUN_SUSPENDED": "suspended",
    "RUN_RESUMED": "resumed",
    "PIPELINE_SUCCESS": "succeeded",
    "PIPELINE_FAILURE": "failed",
    "PIPELINE_CANCELING": "canceling",
    "PIPELINE_CANCELED": "canceled",
}
STEP_STATES: Mapping[str, StepState] = {
    "STEP_START": "started",
    "STEP_RESTARTED": "started",
    "STEP_OUTPUT": "output",
    "STEP_UP_FOR_RETRY": "retrying",
    "STEP_EXPECTATION_RESULT": "handled",
    "STEP_SUCCESS": "succeeded",
    "STEP_FAILURE": "failed",
    "STEP_SKIPPED": "skipped",
}
MADE = "ASSET_MATERIALIZATION"
TOLD = (*RUN_STATES, *STEP_STATES, MADE)
"""Dagster's types of events that are read; all others say nothing of a run's state."""


def read_event(id_: int, type_: str, text: str, agent: str) -> LiveEvent | None:
    """One event; None where it is of Dagster's own steps.

    Args:
        id_: Its id.
        type_: One of `TOLD`.
        text: As Dagster's table has it.
        agent: The run's agent; "" where it is none's.
    """
    entry: Any = json.loads(text)
    event = entry["dagster_event"]
    data: Any = event["event_specific_data"] or {}
    at, run_id = float(entry["timestamp"]), str(entry["run_id"])
    whose = agent or str(event["pipeline_name"])
    if type_ in RUN_STATES:
        return RunChanged(
            *(EventId(id_), at, run_id, whose, RUN_STATES[type_]),
            error=_error(event, data) if type_ == "PIPELINE_FAILURE" else "",
        )
    node = _node(event["step_key"])
    if node == START:
        return None
    if type_ == MADE:
        made = data["materialization"]
        key, told = "/".join(made["asset_key"]["path"]), _told(made)
        took, figures = _milliseconds(told.get("latency_ms")), _figures(told)
        return AssetMade(EventId(id_), at, run_id, whose, node, key, took, figures)
    return StepChanged(
        *(EventId(id_), at, run_id, whose, node, STEP_STATES[type_]),
        port=_name(data["step_output_handle"]["output_name"]) if type_ == "STEP_OUTPUT" else "",
        latency_ms=_milliseconds(data.get("duration_ms")),
        wait_seconds=data.get("seconds_to_wait"),
        error=_error(event, data),
        figures=_figures(_told(data.get("user_failure_data") or data.get("expectation_result"))),
    )


def _told(described: Mapping[str, Any] | None) -> dict[str, Any]:
    """The metadata of a part of an event, by its labels."""
    told: dict[str, Any] = {}
    for entry in (described or {}).get("metadata_entries") or ():
        value = entry["entry_data"]
        told[entry["label"]] = value.get("value", value.get("text"))
    return told


def _figures(told: Mapping[str, Any]) -> Figures:
    return Figures(
        tokens_in=int(told.get("tokens_in") or 0),
        tokens_out=int(told.get("tokens_out") or 0),
        cost_usd=told.get("cost_usd"),
        model=str(told.get("model") or ""),
        provider=str(told.get("provider") or ""),
    )


def _node(step_key: str | None) -> str:
    """The node of a step; the whole key where it is no agent's."""
    key = step_key or ""
    name = key.partition(".")[2] or key
    return name if name == START else _name(name)


def _name(allowed: str) -> str:
    """A name as its author wrote it; no author's name begins with `_`."""
    return allowed.removeprefix("_")


def _error(event: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """What went wrong, as it was told to Dagster."""
    by_author = cast("Mapping[str, Any]", data.get("user_failure_data") or {})
    if said := by_author.get("description"):
        return str(said)
    if "expectation_result" in data:
        return str(data["expectation_result"]["description"] or "")
    first = data.get("first_step_failure_event")
    if first is not None:
        return _error(first, first["event_specific_data"] or {})
    problem = data.get("error")
    if problem is None:
        return (
            str(event["message"] or "") if event["event_type_value"] == "PIPELINE_FAILURE" else ""
        )
    problem = problem["cause"] or problem  # of a retry: what it is for
    name, _, said = str(problem["message"]).strip().partition(": ")
    return said if said and "." in name and " " not in name else str(problem["message"]).strip()


def _milliseconds(value: object) -> float | None:
    return round(value, 3) if isinstance(value, int | float) else None
