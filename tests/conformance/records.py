"""What two lanes recorded of the same run, compared event by event."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from agentflow_dagster.orchestration.names import MACHINE_TAG

if TYPE_CHECKING:
    from dagster import EventLogEntry

    from tests.orchestration.bench import Ran

NOT_OF_BOTH = {
    *("PIPELINE_STARTING", "RESOURCE_INIT_STARTED", "RESOURCE_INIT_SUCCESS", "LOGS_CAPTURED")
}
_OF_PROCESSES = ("Started process for run", "Process for run exited")
_TIMES = re.compile(r"(in |pid: )[\d.]+(ms|s|m|h)?|(\d+m)?[\d.,]+ ?ms")
_FREE = {"timestamp", "pid", "duration_ms", "stack", "run_id", "latency_ms", "context"}


def told(ran: Ran) -> dict[str, list[Any]]:
    """The run's own events, and those of each step, without what may differ."""
    pointers = {str(number): f"event of {key}" for number, key in made(ran).items()}
    found: dict[str, list[Any]] = {}
    for entry in ran.events:
        event = entry.dagster_event
        told_by_process = (entry.message or "").startswith(_OF_PROCESSES)
        if not told_by_process and (event is None or event.event_type_value not in NOT_OF_BOTH):
            found.setdefault(entry.step_key or "", []).append(
                plain(entry, pointers, several=len(ran.failed) > 1)
            )
    return found


def made(ran: Ran) -> dict[int, str]:
    """The asset that each materialization of the run made, by the event's id."""
    return {
        storage_id: str(entry.asset_materialization.asset_key)
        for storage_id, entry in zip(ran.ids, ran.events, strict=True)
        if entry.asset_materialization is not None
    }


def plain(entry: EventLogEntry, pointers: dict[str, str], *, several: bool) -> Any:
    def walk(value: Any) -> Any:
        match value:
            case {"label": "latency_ms" | "pid" as free}:
                return free
            case dict():
                return {
                    k: pointers.get(v, "another run's")
                    if "input_event_pointer" in k and v != "NULL"
                    else walk(v)
                    for k, v in value.items()
                    if k not in _FREE and not (k == "first_step_failure_event" and several)
                }
            case list():
                return [walk(inner) for inner in value]
            case str() if "Steps failed: " in value:
                return sorted(re.findall(r"'(.*?)'", value))
            case str():
                return _TIMES.sub("…", value)
            case _:
                return value

    return walk(json.loads(entry.to_json()))


def same(ours: Ran, stock: Ran) -> None:
    assert ours.status == stock.status
    # The machine is the warm parent's child's to tell, and the launcher's where Dagster starts it.
    assert {k: v for k, v in ours.tags.items() if k != MACHINE_TAG} == stock.tags
    mine, theirs = told(ours), told(stock)
    assert mine.keys() == theirs.keys()
    for step, events in theirs.items():
        assert [kind(e) for e in mine[step]] == [kind(e) for e in events], step
        assert mine[step] == events, step
    assert _left(ours) == _left(stock)


def _left(ran: Ran) -> dict[str, Any]:
    """What steps left behind, without those in the bodies of a step that failed."""
    return {
        name: (output.port, output.value, {**output.facts, "latency_ms": None})
        for name, output in ran.values.items()
        if name.partition("[")[0] not in ran.failed or name in ran.failed
    }


def kind(event: Any) -> str:
    return (event["dagster_event"] or {}).get("event_type_value") or event["user_message"]
