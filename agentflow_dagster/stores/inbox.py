"""Events that are owed a run, in PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from agentflow_dagster.ports.stores import CLAIM_SECONDS, InboxEvent, NewEvent
from agentflow_dagster.stores.encoding import dump, storable
from agentflow_dagster.stores.engine import transaction
from agentflow_dagster.stores.tables import REASON, inbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from agentflow_dagster.spec.values import JsonObject
    from agentflow_dagster.stores.connection import Connection

# Ids are taken first, as nothing comes back of those that are refused for their key. Keys are in
# order, so that two groups that have the same do not wait for each other.
_ADD = sa.text("""
WITH given AS MATERIALIZED (
  SELECT nextval('agentflow.inbox_id_seq') AS id, number, agent, trigger, event, key
  FROM unnest(:agents ::text[], :triggers ::text[], :events ::text[], :keys ::text[])
    WITH ORDINALITY AS told (agent, trigger, event, key, number)
  ORDER BY number
), added AS (
  INSERT INTO agentflow.inbox
    (id, agent, trigger, event, idempotency_key, claimed_by, claimed_until)
  SELECT id, agent, trigger, event::json, key, :by ::text,
    CASE WHEN :by ::text IS NULL THEN NULL ELSE clock_timestamp() + :seconds * interval '1 s' END
  FROM given ORDER BY agent, trigger, key
  ON CONFLICT DO NOTHING
  RETURNING id, received_at
)
SELECT id, received_at FROM given LEFT JOIN added USING (id) ORDER BY number
""")
# As the index of pending events has it.
_PENDING = inbox.c.state == sa.literal_column("'pending'")


class PostgresInbox:
    """Keeps events; one is accepted once `add` has returned."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(
        self, agent: str, trigger: str, event: JsonObject, *, idempotency_key: str | None = None
    ) -> tuple[InboxEvent, bool]:
        """Commits an event; the flag is False where the idempotency key was seen before for this
        agent and trigger, and the earlier event is returned.

        Raises:
            StoreError: a name is longer than 255 characters, or the key than 500.
        """
        return self.add_all([NewEvent(agent, trigger, event, idempotency_key)])[0]

    def add_all(
        self, events: Sequence[NewEvent], *, claimed_by: str | None = None
    ) -> Sequence[tuple[InboxEvent, bool]]:
        """Commits events together, all or none; each in its place as `add` has it.

        Raises:
            StoreError: as `add`.
        """
        given = {
            "agents": [each.agent for each in events],
            "triggers": [each.trigger for each in events],
            "events": [dump(each.event) for each in events],
            "keys": [each.idempotency_key for each in events],
            "by": claimed_by,
            "seconds": CLAIM_SECONDS,
        }
        with transaction(self._engine) as connection:
            rows = connection.execute(_ADD, given).all()
            return [
                (_new(each, row), True)
                if row.received_at is not None
                else (_earlier(connection, each), False)
                for each, row in zip(events, rows, strict=True)
            ]

    def get(self, event_id: int) -> InboxEvent | None:
        """The event of that id."""
        with transaction(self._engine) as connection:
            row = connection.execute(sa.select(inbox).where(inbox.c.id == event_id)).first()
        return _event(row) if row else None

    def pending(self, agent: str, *, limit: int = 100) -> Sequence[InboxEvent]:
        """Events whose run has not begun, oldest first, claimed or not."""
        waiting = (inbox.c.agent == agent) & _PENDING
        statement = sa.select(inbox).where(waiting).order_by(inbox.c.id).limit(limit)
        with transaction(self._engine) as connection:
            return [_event(row) for row in connection.execute(statement)]

    def count_pending(self, *, most: int) -> int:
        """How many events' runs have not begun, of all agents; counts up to `most`."""
        some = sa.select(sa.literal(1)).select_from(inbox).where(_PENDING).limit(most).subquery()
        with transaction(self._engine) as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0

    def claim(self, event_id: int, by: str, *, seconds: float = CLAIM_SECONDS) -> bool:
        """Claims one pending event; False where another has it, or it is pending no more. Who has
        it may claim it again, for longer."""
        statement = (
            sa.update(inbox)
            .where(inbox.c.id == event_id, _PENDING, _unclaimed() | (inbox.c.claimed_by == by))
            .values(claimed_by=by, claimed_until=_in(seconds))
        )
        with transaction(self._engine) as connection:
            return connection.execute(statement).rowcount == 1

    def claim_next(
        self, agent: str, by: str, *, limit: int = 100, seconds: float = CLAIM_SECONDS
    ) -> Sequence[InboxEvent]:
        """Claims pending events that nobody has, or whose claim has run out, oldest first.

        One that another is claiming at this moment is passed over, not waited for.
        """
        free = (
            sa.select(inbox.c.id)
            .where(inbox.c.agent == agent, _PENDING, _unclaimed())
            .order_by(inbox.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        statement = (
            sa.update(inbox)
            .where(inbox.c.id == sa.bindparam("event_id"))
            .values(claimed_by=by, claimed_until=_in(seconds))
        )
        with transaction(self._engine) as connection:
            ids = connection.scalars(free).all()
            if not ids:
                return []
            connection.execute(statement, [{"event_id": id_} for id_ in ids])
            claimed = sa.select(inbox).where(inbox.c.id.in_(ids)).order_by(inbox.c.id)
            return [_event(row) for row in connection.execute(claimed)]

    def release(self, event_id: int, by: str) -> None:
        """Gives a claim back before its time, where it is still this one's."""
        statement = (
            sa.update(inbox)
            .where(inbox.c.id == event_id, inbox.c.claimed_by == by)
            .values(claimed_by=None, claimed_until=None)
        )
        with transaction(self._engine) as connection:
            connection.execute(statement)

    def settle(self, started: Mapping[int, str]) -> None:
        """Records `{event id: run id}` for events whose run exists.

        The first run recorded for an event stays; ids that are not there (any more) are passed
        over.
        """
        if not started:
            return
        # In the order of ids, so that two that settle the same events do not wait for each other.
        rows = [{"event_id": id_, "run": started[id_]} for id_ in sorted(started)]
        statement = (
            sa.update(inbox)
            .where(inbox.c.id == sa.bindparam("event_id"), _PENDING)
            # The run that was noted when its row was made is the one.
            .values(state="started", run_id=sa.func.coalesce(inbox.c.run_id, sa.bindparam("run")))
        )
        with transaction(self._engine) as connection:
            connection.execute(statement, rows)

    def reject(self, event_id: int, reason: str) -> None:
        """Takes a pending event that can never become a run out of the queue.

        The reason is kept (its first 2,000 characters), for whoever looks into the table.
        """
        statement = (
            sa.update(inbox)
            .where(inbox.c.id == event_id, _PENDING, inbox.c.run_id.is_(None))
            .values(state="rejected", reason=storable(reason)[:REASON])
        )
        with transaction(self._engine) as connection:
            connection.execute(statement)


def note_run(connection: sa.Connection, event_id: int, agent: str, run_id: str) -> str:
    """Notes the run of a pending event of that agent, in the transaction that makes the run.

    Returns the id of the run that the event has: this one, or the one that was there before; ""
    where it was rejected. Another that notes a run of the same event waits for this transaction.

    An event that is not there, or of another agent, is nothing to keep: then the run is its own.
    """
    of_agent = (inbox.c.id == event_id) & (inbox.c.agent == agent)
    noting = (
        sa.update(inbox).where(of_agent, _PENDING, inbox.c.run_id.is_(None)).values(run_id=run_id)
    )
    if connection.execute(noting).rowcount:
        return run_id
    found = connection.execute(sa.select(inbox.c.run_id).where(of_agent)).first()
    return run_id if found is None else (found.run_id or "")


async def settle_events(connection: Connection, runs: Mapping[int, str]) -> int:
    """Notes `{event id: run id}` of pending events that have none, in the transaction that makes
    and begins the runs; how many there were."""
    settled = await connection.fetch(
        "UPDATE agentflow.inbox SET state = 'started', run_id = new.run_id"
        " FROM unnest($1::bigint[], $2::text[]) AS new (id, run_id)"
        " WHERE inbox.id = new.id AND inbox.state = 'pending' AND inbox.run_id IS NULL"
        " RETURNING inbox.id",
        list(runs),
        list(runs.values()),
    )
    return len(settled)


def _unclaimed() -> sa.ColumnElement[bool]:
    # Not the time at which the transaction began: it may have waited for the row.
    return inbox.c.claimed_until.is_(None) | (inbox.c.claimed_until <= sa.func.clock_timestamp())


def _in(seconds: float) -> sa.ColumnElement[Any]:
    return sa.func.clock_timestamp() + timedelta(seconds=seconds)


def _new(given: NewEvent, row: sa.Row[Any]) -> InboxEvent:
    return InboxEvent(
        id=row.id,
        agent=given.agent,
        trigger=given.trigger,
        event=given.event,
        received_at=row.received_at,
        state="pending",
    )


def _earlier(connection: sa.Connection, given: NewEvent) -> InboxEvent:
    """The event that has the key of one that was to be added."""
    same_key = (
        (inbox.c.agent == given.agent)
        & (inbox.c.trigger == given.trigger)
        & (inbox.c.idempotency_key == given.idempotency_key)
    )
    return _event(connection.execute(sa.select(inbox).where(same_key)).one())


def _event(row: sa.Row[Any]) -> InboxEvent:
    return InboxEvent(
        id=row.id,
        agent=row.agent,
        trigger=row.trigger,
        event=row.event,
        received_at=row.received_at,
        state=row.state,
        run_id=row.run_id,
    )
