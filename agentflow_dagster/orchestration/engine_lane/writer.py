"""Commits what many runs change in groups: one transaction for all that came while the one before
was under way. This file, storage.py and owed_runs.py are all that write to Dagster's tables.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dagster import AssetKey, DagsterRun
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._serdes import deserialize_value, serialize_value

from agentflow_dagster.errors import UsageError
from agentflow_dagster.orchestration.engine_lane.place import LostPlaceError
from agentflow_dagster.orchestration.engine_lane.rows import Group, Made, newest_by_asset
from agentflow_dagster.orchestration.storage import EVENT_ORDER
from agentflow_dagster.stores import engine_runs
from agentflow_dagster.stores.inbox import settle_events
from agentflow_dagster.stores.step_rows import store_rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from agentflow_dagster.orchestration.engine_lane.rows import EventRow, RunChange
    from agentflow_dagster.stores.connection import Connection


_IDS = """
WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock($1))
SELECT nextval('event_logs_id_seq') FROM alone, generate_series(1, $2)"""
_NEWEST = """
SELECT DISTINCT ON (asset_key) asset_key, id, event FROM event_logs
WHERE asset_key = ANY($1) AND dagster_event_type = 'ASSET_MATERIALIZATION'
ORDER BY asset_key, id DESC"""
_ASSETS = """
INSERT INTO asset_keys
  (asset_key, last_materialization, last_run_id, last_materialization_timestamp)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamp[])
ON CONFLICT (asset_key) DO UPDATE SET
  last_materialization = coalesce(excluded.last_materialization, asset_keys.last_materialization),
  last_run_id = excluded.last_run_id,
  last_materialization_timestamp = excluded.last_materialization_timestamp"""
_TRANSACTION = "SELECT pg_current_xact_id()::text"
_CHANGES = """
UPDATE runs SET status = new.status, run_body = new.body, update_timestamp = new.at,
  start_time = coalesce(new.started_at, start_time), end_time = coalesce(new.ended_at, end_time)
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamp[], $6::float[],
  $7::float[]) AS new (run_id, before, body, status, at, started_at, ended_at)
WHERE runs.run_id = new.run_id AND runs.run_body = new.before
RETURNING runs.run_id"""


_AWAY = (OSError, TimeoutError, EOFError)
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 2.0
_MOST_EVENTS = 5_000
"""In one transaction: whoever waits for the first of a burst is not to wait for the last."""


class EventTakenError(UsageError):
    """Another has made the run of an event, or it is to have none."""


class Writer:
    """The one way by which runs of this process reach the database.

    A group waits for a database that is away. One that it refuses is committed run by run,
    so that what is wrong with one run is told to that run alone.

    Args:
        connect: Opens a connection.
    """

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._wake = asyncio.Event()
        self.group = Group()
        """What is changed goes here; `committed` waits until it is safe."""

    async def committed(self, run_id: str) -> None:
        """Waits until all that was changed so far is committed.

        Raises:
            Exception: what was changed of this run cannot be committed; nothing of it was.
        """
        told = self.group.waiting.get(run_id)
        if told is None:
            told = asyncio.get_running_loop().create_future()
            self.group.waiting[run_id] = told
        self._wake.set()
        await asyncio.shield(told)

    def wake(self) -> None:
        """Has what was changed so far committed soon; does not wait."""
        self._wake.set()

    async def run(self) -> None:
        """Commits groups for ever; cancel it to stop.

        Raises:
            LostPlaceError: another process is the engine now.
        """
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                group, self.group = self.group, Group()
                for part in group.slices(_MOST_EVENTS):
                    await self._commit(part)
        finally:
            await self._forget()

    async def _commit(self, group: Group) -> None:
        try:
            await self._commit_when_there(group)
        except LostPlaceError:
            raise
        except Exception as problem:  # noqa: BLE001 - whoever waits is told
            runs = group.by_run()
            if len(runs) > 1:
                for one in runs:
                    await self._commit(one)
                return
            for told in group.waiting.values():
                told.set_exception(problem)
                told.exception()  # Seen, even where nobody waits any more.
        else:
            for told in group.waiting.values():
                told.set_result(None)

    async def _commit_when_there(self, group: Group) -> None:
        """Commits a group, as often as it takes for the database to be there."""
        wait = _FIRST_WAIT
        transaction: str | None = None
        while True:
            try:
                connection = await self._connected()
                if transaction is not None and await _was_committed(connection, transaction):
                    return
                transaction = None
                async with connection.transaction():
                    ((transaction,),) = await connection.fetch(_TRANSACTION)
                    await self._store(connection, group)
            except Exception as problem:
                if not _is_away(problem):
                    raise  # The connection lives, and with it the engine's place.
                await self._forget()
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT)
            else:
                return

    async def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = await self._connect()
        return self._connection

    async def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _store(self, connection: Connection, group: Group) -> None:
        ids = await connection.fetch(_IDS, EVENT_ORDER, max(1, len(group.events)))
        for event, (id_,) in zip(group.events, ids, strict=False):
            event.id = id_
        if group.taken:
            await _take(connection, group.taken)
        await _settle(connection, group.events)
        await _put_runs(connection, list(group.runs.values()))
        if group.tags:
            await _add_tags(connection, group.tags)
        if group.events:
            await _add_events(connection, group.events)
        if group.outputs:
            await store_rows(connection, group.outputs)
        if group.begun:
            await engine_runs.owe(connection, group.begun)
        if group.ended:
            await engine_runs.settle(connection, group.ended)


def _is_away(problem: Exception) -> bool:
    """Whether the database, rather than what was to be stored, is what failed."""
    import asyncpg

    lost: tuple[type[Exception], ...] = (
        *_AWAY,
        asyncpg.InterfaceError,
        asyncpg.PostgresConnectionError,
        asyncpg.OperatorInterventionError,
        asyncpg.InsufficientResourcesError,
        asyncpg.DeadlockDetectedError,
    )
    return isinstance(problem, lost)


async def _was_committed(connection: Connection, transaction: str) -> bool:
    """Whether a transaction whose end nobody heard of was committed after all."""
    ((status,),) = await connection.fetch("SELECT pg_xact_status($1::text::xid8)", transaction)
    return status == "committed"


async def _take(connection: Connection, taken: Mapping[str, int]) -> None:
    """Gives events their runs.

    Raises:
        EventTakenError: one of them has one, or is to have none.
    """
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


async def _put_runs(connection: Connection, changes: Sequence[RunChange]) -> None:
    new = [change for change in changes if change.before is None]
    if new:
        await _add_runs(connection, new)
    changed = [change for change in changes if change.before is not None]
    if changed:
        done = await connection.fetch(
            _CHANGES,
            [change.after.run_id for change in changed],
            [serialize_value(change.before) for change in changed],
            [serialize_value(change.after) for change in changed],
            [change.after.status.value for change in changed],
            [_utc(time.time())] * len(changed),
            [change.started_at for change in changed],
            [change.ended_at for change in changed],
        )
        as_supposed = {row["run_id"] for row in done}
        for change in changed:
            if change.after.run_id not in as_supposed:
                await _change_by_itself(connection, change)


async def _add_runs(connection: Connection, changes: Sequence[RunChange]) -> None:
    now = _utc(time.time())
    await connection.copy_records_to_table(
        "runs",
        records=[
            (
                *(run.run_id, run.job_snapshot_id, run.job_name, run.status.value),
                *(serialize_value(run), now, now, change.started_at, change.ended_at),
            )
            for change in changes
            for run in (change.after,)
        ],
        columns=[
            *("run_id", "snapshot_id", "pipeline_name", "status", "run_body"),
            *("create_timestamp", "update_timestamp", "start_time", "end_time"),
        ],
    )
    await _add_tags(
        connection,
        [
            (change.after.run_id, *tag)
            for change in changes
            for tag in change.after.tags_for_storage().items()
        ],
    )


async def _add_tags(connection: Connection, tags: Sequence[tuple[str, str, str]]) -> None:
    await connection.copy_records_to_table(
        "run_tags", records=tags, columns=["run_id", "key", "value"]
    )


async def _change_by_itself(connection: Connection, change: RunChange) -> None:
    """Changes a run that somebody else has changed in the meantime: their tags stay, and a status
    that ends it."""
    rows = await connection.fetch(
        "SELECT run_body FROM runs WHERE run_id = $1 FOR UPDATE", change.after.run_id
    )
    if not rows:
        return
    found = deserialize_value(rows[0]["run_body"], DagsterRun)
    if found.is_finished:
        return
    after = found.with_status(change.after.status).with_tags({**change.after.tags, **found.tags})
    await connection.execute(
        "UPDATE runs SET run_body = $2, status = $3, update_timestamp = $4,"
        " start_time = coalesce($5, start_time), end_time = coalesce($6, end_time)"
        " WHERE run_id = $1",
        after.run_id,
        serialize_value(after),
        after.status.value,
        _utc(time.time()),
        change.started_at,
        change.ended_at,
    )


async def _add_events(connection: Connection, events: Sequence[EventRow]) -> None:
    await connection.copy_records_to_table(
        "event_logs",
        records=[
            (
                *(event.id, event.run_id, event.text, event.form.type),
                *(_utc(event.at), event.form.step_key, event.form.asset_key),
            )
            for event in events
        ],
        columns=[
            *("id", "run_id", "event", "dagster_event_type", "timestamp", "step_key", "asset_key")
        ],
    )
    made = [event for event in events if isinstance(event, Made)]
    if made:
        await connection.copy_records_to_table(
            "asset_event_tags",
            records=[
                (
                    *(event.id, event.form.asset_key, DATA_VERSION_TAG),
                    *(event.data_version, _utc(event.at)),
                )
                for event in made
            ],
            columns=["event_id", "asset_key", "key", "value", "event_timestamp"],
        )
    if newest := newest_by_asset(events):
        await connection.execute(
            _ASSETS,
            list(newest),
            [made.record() if made else None for _, made in newest.values()],
            [last.run_id for last, _ in newest.values()],
            [_utc(last.at) for last, _ in newest.values()],
        )


def _utc(at: float) -> datetime:
    """Dagster's tables have times without a zone, in UTC."""
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
