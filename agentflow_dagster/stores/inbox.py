"""Events that are owed a run, in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from agentflow_dagster.ports.stores import InboxEvent
from agentflow_dagster.stores.encoding import storable
from agentflow_dagster.stores.engine import transaction
from agentflow_dagster.stores.tables import REASON, inbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from agentflow_dagster.spec.values import JsonObject


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
        row = {
            "agent": agent,
            "trigger": trigger,
            "event": event,
            "idempotency_key": idempotency_key,
        }
        addition = insert(inbox).values(row).on_conflict_do_nothing().returning(inbox)
        with transaction(self._engine) as connection:
            added = connection.execute(addition).first()
            if added:
                return _event(added), True
            same_key = (
                (inbox.c.agent == agent)
                & (inbox.c.trigger == trigger)
                & (inbox.c.idempotency_key == idempotency_key)
            )
            return _event(connection.execute(sa.select(inbox).where(same_key)).one()), False

    def get(self, event_id: int) -> InboxEvent | None:
        """The event of that id."""
        with transaction(self._engine) as connection:
            row = connection.execute(sa.select(inbox).where(inbox.c.id == event_id)).first()
        return _event(row) if row else None

    def pending(self, agent: str, *, limit: int = 100) -> Sequence[InboxEvent]:
        """Events without a run, oldest first."""
        waiting = (inbox.c.agent == agent) & (inbox.c.state == sa.literal_column("'pending'"))
        statement = sa.select(inbox).where(waiting).order_by(inbox.c.id).limit(limit)
        with transaction(self._engine) as connection:
            return [_event(row) for row in connection.execute(statement)]

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
            .where(inbox.c.id == sa.bindparam("event_id"), inbox.c.state == "pending")
            .values(state="started", run_id=sa.bindparam("run"))
        )
        with transaction(self._engine) as connection:
            connection.execute(statement, rows)

    def reject(self, event_id: int, reason: str) -> None:
        """Takes a pending event that can never become a run out of the queue.

        The reason is kept (its first 2,000 characters), for whoever looks into the table.
        """
        statement = (
            sa.update(inbox)
            .where(inbox.c.id == event_id, inbox.c.state == "pending")
            .values(state="rejected", reason=storable(reason)[:REASON])
        )
        with transaction(self._engine) as connection:
            connection.execute(statement)


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
