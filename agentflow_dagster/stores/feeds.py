"""How far triggers' sources were read, in PostgreSQL: moved in the transaction that adds events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from agentflow_dagster.ports.events import Place, Revision
from agentflow_dagster.stores.encoding import storable
from agentflow_dagster.stores.engine import transaction
from agentflow_dagster.stores.tables import REASON, cursors, inbox

if TYPE_CHECKING:
    from agentflow_dagster.ports.events import Polled, SourceEvent
    from agentflow_dagster.spec.values import JsonObject, JsonValue


class PostgresFeeds:
    """Keeps the cursors of polled triggers."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def place(self, agent: str, trigger: str, reading: str) -> Place:
        """The place of a trigger; one that read otherwise begins anew.

        Raises:
            StoreError: the database cannot be reached.
        """
        statement = sa.select(cursors).where(_is(agent, trigger))
        with transaction(self._engine) as connection:
            row = connection.execute(statement).first()
        if row is None:
            return Place()
        if row.reading != reading:
            return Place(revision=Revision(row.revision))
        return Place(row.cursor, Revision(row.revision), row.polled_at)

    def take(
        self, agent: str, trigger: str, reading: str, polled: Polled, *, after: Revision
    ) -> int | None:
        """Adds events to the inbox and moves the cursor; how many were new, None where another has
        moved the cursor since.

        Raises:
            StoreError: the database refused; nothing is changed then.
        """
        rows = [_row(agent, trigger, event) for event in polled.events]
        addition = insert(inbox).on_conflict_do_nothing().returning(inbox.c.id)
        with transaction(self._engine) as connection:
            if not _move(connection, agent, trigger, reading, after, cursor=polled.cursor):
                return None
            # One statement a row: ids follow the order of the events, and so do their runs.
            added = [connection.execute(addition.values(row)).first() for row in rows]
        return sum(row is not None for row in added)

    def failed(self, agent: str, trigger: str, reading: str, *, after: Revision) -> None:
        """Records that the source was asked in vain; the cursor stays.

        Raises:
            StoreError: the database cannot be reached.
        """
        with transaction(self._engine) as connection:
            kept = connection.execute(
                sa.select(cursors.c.cursor).where(_is(agent, trigger), cursors.c.reading == reading)
            ).first()
            cursor = kept.cursor if kept else None
            _move(connection, agent, trigger, reading, after, cursor=cursor)


def _is(agent: str, trigger: str) -> sa.ColumnElement[bool]:
    return (cursors.c.agent == agent) & (cursors.c.trigger == trigger)


def _move(
    connection: sa.Connection,
    agent: str,
    trigger: str,
    reading: str,
    after: Revision,
    *,
    cursor: JsonValue,
) -> bool:
    """Moves the cursor where nobody has moved it since; whoever comes second waits, and sees so."""
    moved = {
        "reading": reading,
        "cursor": cursor,
        "revision": after + 1,
        "polled_at": sa.func.clock_timestamp(),
    }
    addition = (
        insert(cursors)
        .values(agent=agent, trigger=trigger, **moved)
        .on_conflict_do_update(
            index_elements=[cursors.c.agent, cursors.c.trigger],
            set_=moved,
            where=cursors.c.revision == after,
        )
        .returning(cursors.c.revision)
    )
    return connection.execute(addition).first() is not None


def _row(agent: str, trigger: str, event: SourceEvent) -> JsonObject:
    reason = storable(event.rejected)[:REASON] or None
    return {
        "agent": agent,
        "trigger": trigger,
        "event": event.event,
        "idempotency_key": storable(event.key),
        "state": "rejected" if reason else "pending",
        "reason": reason,
    }
