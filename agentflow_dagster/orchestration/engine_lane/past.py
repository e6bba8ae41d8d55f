"""What a run has come to, read back from what is committed of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dagster import DagsterEventType
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from agentflow_dagster.orchestration.engine_lane.forms import Form
from agentflow_dagster.orchestration.engine_lane.recorder import Past
from agentflow_dagster.orchestration.engine_lane.rows import Made

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dagster import DagsterEvent, DagsterInstance, EventLogRecord

    from agentflow_dagster.ports.stores import StepStore
    from agentflow_dagster.ports.waits import Wait

_BEGAN = frozenset({DagsterEventType.STEP_START, DagsterEventType.STEP_RESTARTED})
_TOLD = _BEGAN | {
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.STEP_SKIPPED,
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.RUN_START,
    DagsterEventType.RUN_SUSPENDED,
}


def past_of(
    instance: DagsterInstance, steps: StepStore, run_id: str, waits: Sequence[Wait] = ()
) -> Past:
    """What a run has come to."""
    records = instance.get_records_for_run(run_id, of_type=set(_TOLD)).records
    attempts: Counter[str] = Counter()
    keys: dict[DagsterEventType, set[str]] = {}
    failed: dict[str, DagsterEvent] = {}
    for record in records:
        event = record.event_log_entry.get_dagster_event()
        keys.setdefault(event.event_type, set()).add(event.step_key or "")
        attempts[event.step_key or ""] += event.event_type in _BEGAN
        if event.is_step_failure:
            failed[event.step_key or ""] = event
    outputs = steps.all(run_id)
    return Past(
        outputs=outputs,
        attempts=attempts,
        succeeded=frozenset(keys.get(DagsterEventType.STEP_SUCCESS, ())),
        skipped=frozenset(keys.get(DagsterEventType.STEP_SKIPPED, ())),
        failed=failed,
        made={
            record.asset_key: _made(record) for record in records if record.asset_key is not None
        },
        waits=waits,
        last_at=max((record.event_log_entry.timestamp for record in records), default=0.0),
    )


def _made(record: EventLogRecord) -> Made:
    entry = record.event_log_entry
    made = entry.asset_materialization
    version = (made.tags or {}).get(DATA_VERSION_TAG, "") if made else ""
    form = Form.of(entry)
    return Made(
        *(entry.run_id, entry.timestamp, form, form.filled(), record.storage_id),
        data_version=version,
    )
