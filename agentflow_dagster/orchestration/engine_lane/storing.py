"""What a group changes in the database, as one statement. This file, storage.py and owed_runs.py
are all that write to Dagster's tables.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, cast

from dagster import AssetKey, DagsterRun
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._serdes import deserialize_value, serialize_value

from agentflow_dagster.errors import UsageError
from agentflow_dagster.orchestration.engine_lane.rows import Made, newest_by_asset
from agentflow_dagster.orchestration.live_events import CHANNEL
from agentflow_dagster.orchestration.storage import EVENT_ORDER
from agentflow_dagster.stores import engine_runs, step_rows, wait_rows
from agentflow_dagster.stores.changes import Change, change_all
from agentflow_dagster.stores.failures import NOTED
from agentflow_dagster.stores.inbox import settle_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agentflow_dagster.orchestration.engine_lane.rows import EventRow, Group, RunChange
    from agentflow_dagster.stores.connection import Connection

    Values = tuple[Change, Sequence[object]]

_BEGIN = """
WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock($1), pg_notify($3, '')),
  ids AS (SELECT nextval('event_logs_id_seq') AS id FROM alone, generate_series(1, $2))
SELECT array_agg(id) AS ids FROM ids"""
_IS_STORED = "SELECT EXISTS (SELECT 1 FROM event_logs WHERE id = $1 AND event = $2)"
_NEWEST = """
SELECT DISTINCT ON (asset_key) asset_key, id, event FROM event_logs
WHERE asset_key = ANY($1) AND dagster_event_type = 'ASSET_MATERIALIZATION'
ORDER BY asset_key, id DESC"""
# Dagster's tables have times without a zone, in UTC.
_NEW_RUNS = Change(
    "new_runs",
    """
    INSERT INTO runs (run_id, snapshot_id, pipeline_name, status, run_body, create_timestamp,
      update_timestamp, start_time, end_time)
    SELECT run_id, snapshot_id, pipeline_name, status, run_body, at, at, start_time, end_time
    FROM (SELECT to_timestamp($8) AT TIME ZONE 'UTC' AS at) AS now, unnest($1::text[], $2::text[],
      $3::text[], $4::text[], $5::text[], $6::float[], $7::float[])
      AS new (run_id, snapshot_id, pipeline_name, status, run_body, start_time, end_time)""",
)
_CHANGED_RUNS = Change(
    "changed_runs",
    """
    UPDATE runs SET status = new.status, run_body = new.body,
      update_timestamp = to_timestamp($7) AT TIME ZONE 'UTC',
      start_time = coalesce(new.started_at, start_time),
      end_time = coalesce(new.ended_at, end_time)
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float[], $6::float[])
      AS new (run_id, before, body, status, started_at, ended_at)
    WHERE runs.run_id = new.run_id AND runs.run_body = new.before
    RETURNING runs.run_id""",
    "array_agg(run_id)",
)
_TAGS = Change(
    "tags",
    """
    INSERT INTO run_tags (run_id, key, value)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[])""",
)
_EVENTS = Change(
    "events",
    """
    INSERT INTO event_logs
      (id, run_id, event, dagster_event_type, timestamp, step_key, asset_key)
    SELECT id, run_id, event, type, to_timestamp(at) AT TIME ZONE 'UTC', step_key, asset_key
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::float[], $6::text[],
      $7::text[]) AS new (id, run_id, event, type, at, step_key, asset_key)""",
)
_EVENT_TAGS = Change(
    "event_tags",
    """
    INSERT INTO asset_event_tags (event_id, asset_key, key, value, event_timestamp)
    SELECT event_id, asset_key, $5, value, to_timestamp(at) AT TIME ZONE 'UTC'
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::float[])
      AS new (event_id, asset_key, value, at)""",
)
_ASSETS = Change(
    "assets",
    """
    INSERT INTO asset_keys
      (asset_key, last_materialization, last_run_id, last_materialization_timestamp)
    SELECT asset_key, record, run_id, to_timestamp(at) AT TIME ZONE 'UTC'
    FROM unnest($1::text[], $2::text[], $3::text[], $4::float[])
      AS new (asset_key, record, run_id, at)
    ON CONFLICT (asset_key) DO UPDATE SET
      last_materialization =
        coalesce(excluded.last_materialization, asset_keys.last_materialization),
      last_run_id = excluded.last_run_id,
      last_materialization_timestamp = excluded.last_materialization_timestamp""",
)


class EventTakenError(UsageError):
    """Another has made the run of an event, or it is to have none."""


class RunOverError(UsageError):
    """Another has ended a run, or deleted it, before it could begin."""


async def number_events(connection: Connection, events: Sequence[EventRow]) -> None:
    """Gives events their ids, first of all in a transaction.

    From here to the transaction's end no other gives any: readers see ids in their order. Whoever
    follows events is told once they are committed.
    """
    (first,) = await connection.fetch(_BEGIN, EVENT_ORDER, max(1, len(events)), CHANNEL)
    for event, id_ in zip(events, first["ids"], strict=False):
        event.id = id_


async def is_stored(connection: Connection, group: Group) -> bool:
    """Whether a group was committed of whose transaction nobody heard the end.

    The event says so that it begins with. PostgreSQL itself cannot (`pg_xact_status`): a server
    that was killed gives numbers of transactions again that had left nothing on the disk. What has
    no events may be stored twice.
    """
    if not group.events:
        return False
    first = group.events[0]
    ((stored,),) = await connection.fetch(_IS_STORED, first.id, first.text)
    return bool(stored)


async def store(connection: Connection, group: Group) -> None:
    """Stores a group whose events have their ids.

    Raises:
        EventTakenError: an event has its run, or is to have none.
        RunOverError: a run that was to begin is over.
    """
    if group.taken:
        await _take(connection, group.taken)
    await _settle(connection, group.events)
    changed = [change for change in group.runs.values() if change.before is not None]
    outputs = step_rows.last_of_each(group.outputs)
    changes = [
        *_runs([change for change in group.runs.values() if change.before is None], group.tags),
        *_changed(changed),
        *_events(group.events),
        *([(step_rows.OUTPUTS, step_rows.output_values(outputs))] if outputs else ()),
        *_owed(group),
    ]
    await wait_rows.store(connection, group.waits)
    if not changes:
        return
    told = await change_all(connection, changes)
    if outputs:
        replaced = cast("Sequence[Sequence[str]] | None", told[step_rows.OUTPUTS.name])
        await step_rows.store_parts(connection, outputs, replaced)
    if changed:
        as_supposed = set(told[_CHANGED_RUNS.name] or ())
        for change in changed:
            if change.after.run_id not in as_supposed:
                await _change_by_itself(connection, change)


async def _take(connection: Connection, taken: Mapping[str, int]) -> None:
    """Gives events their runs."""
    free = await settle_events(connection, {event: run for run, event in taken.items()})
    if free < len(taken):
        raise EventTakenError("The event has its run.")


async def _settle(connection: Connection, events: Iterable[EventRow]) -> None:
    """Says from which inputs assets were made, now that no other event can come between."""
    made = [event for event in events if isinstance(event, Made)]
    missing = {key.to_string(): key for event in made for key in event.missing()}
    found: dict[AssetKey, tuple[int, str]] = {}
    if missing:
        for key, id_, text in await connection.fetch(_NEWEST, list(missing)):
            found[missing[key]] = (id_, _data_version(text))
    for event in made:
        event.settle(found)


def _data_version(text: str) -> str:
    """The data version in the text of a materialization."""
    event: Any = json.loads(text)["dagster_event"]
    tags: dict[str, str] = event["event_specific_data"]["materialization"]["tags"] or {}
    return tags.get(DATA_VERSION_TAG, "")


def _runs(new: Sequence[RunChange], tags: Sequence[tuple[str, str, str]]) -> list[Values]:
    runs = [change.after for change in new]
    all_tags = [(run.run_id, *tag) for run in runs for tag in run.tags_for_storage().items()]
    all_tags += tags
    changes: list[Values] = []
    if runs:
        changes.append(
            (
                _NEW_RUNS,
                (
                    [run.run_id for run in runs],
                    [run.job_snapshot_id for run in runs],
                    [run.job_name for run in runs],
                    [run.status.value for run in runs],
                    [change.texts()[1] for change in new],
                    [change.started_at for change in new],
                    [change.ended_at for change in new],
                    time.time(),
                ),
            )
        )
    if all_tags:
        changes.append((_TAGS, [list(column) for column in zip(*all_tags, strict=True)]))
    return changes


def _changed(changed: Sequence[RunChange]) -> list[Values]:
    if not changed:
        return []
    texts = [change.texts() for change in changed]
    values = (
        [change.after.run_id for change in changed],
        [before for before, _ in texts],
        [after for _, after in texts],
        [change.after.status.value for change in changed],
        [change.started_at for change in changed],
        [change.ended_at for change in changed],
        time.time(),
    )
    return [(_CHANGED_RUNS, values)]


def _events(events: Sequence[EventRow]) -> list[Values]:
    if not events:
        return []
    forms = [event.form for event in events]
    values = (
        [event.id for event in events],
        [event.run_id for event in events],
        [event.text for event in events],
        [form.type for form in forms],
        [event.at for event in events],
        [form.step_key for form in forms],
        [form.asset_key for form in forms],
    )
    changes: list[Values] = [(_EVENTS, values)]
    failed = [event.run_id for event in events if event.form.type == "PIPELINE_FAILURE"]
    if failed:
        changes.append((NOTED, [failed]))
    made = [event for event in events if isinstance(event, Made)]
    if made:
        values = (
            [event.id for event in made],
            [event.form.asset_key for event in made],
            [event.data_version for event in made],
            [event.at for event in made],
            DATA_VERSION_TAG,
        )
        changes.append((_EVENT_TAGS, values))
    if newest := newest_by_asset(events):
        values = (
            list(newest),
            [made.record() if made else None for _, made in newest.values()],
            [last.run_id for last, _ in newest.values()],
            [last.at for last, _ in newest.values()],
        )
        changes.append((_ASSETS, values))
    return changes


def _owed(group: Group) -> list[Values]:
    """What begins and ends in one group is never owed: no part of a statement sees another's."""
    ended = set(group.ended)
    begun = [run_id for run_id in group.begun if run_id not in ended]
    changes: list[Values] = [(engine_runs.OWED, [begun])] if begun else []
    return [*changes, (engine_runs.SETTLED, [group.ended])] if ended else changes


async def _change_by_itself(connection: Connection, change: RunChange) -> None:
    """Changes a run that somebody else has changed in the meantime: their tags stay, and a status
    that ends it.

    Raises:
        RunOverError: it was to begin, and is over.
    """
    rows = await connection.fetch(
        "SELECT run_body FROM runs WHERE run_id = $1 FOR UPDATE", change.after.run_id
    )
    found = deserialize_value(rows[0]["run_body"], DagsterRun) if rows else None
    if found is None or found.is_finished:
        if change.started_at is not None and not change.after.is_finished:
            raise RunOverError(f"Run {change.after.run_id} has ended before it could begin.")
        return
    after = found.with_status(change.after.status).with_tags({**change.after.tags, **found.tags})
    await connection.execute(
        "UPDATE runs SET run_body = $2, status = $3,"
        " update_timestamp = to_timestamp($4) AT TIME ZONE 'UTC',"
        " start_time = coalesce($5, start_time), end_time = coalesce($6, end_time)"
        " WHERE run_id = $1",
        after.run_id,
        serialize_value(after),
        after.status.value,
        time.time(),
        change.started_at,
        change.ended_at,
    )
