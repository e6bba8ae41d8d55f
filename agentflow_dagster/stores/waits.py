"""What runs wait for, in PostgreSQL."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from agentflow_dagster.errors import UsageError
from agentflow_dagster.ports.waits import Answer, Wait
from agentflow_dagster.spec.canonical import canonical_json
from agentflow_dagster.stores.encoding import storable
from agentflow_dagster.stores.engine import transaction
from agentflow_dagster.stores.tables import NAME, REASON, waits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.ports.waits import Asked
    from agentflow_dagster.spec.values import JsonObject, Value

CHANNEL = "agentflow_waits"
"""Where who waits is told that there may be something for it."""

CALLER = "callback"
"""Who answers callbacks."""
_OF_PEOPLE = ("approval", "input")


def digest(asked: Asked) -> str:
    """sha256 (hex) over what exactly an answer is to."""
    return _sha256(canonical_json({"kind": asked.kind, "subject": asked.subject}))


def token_digest(asked: Asked) -> str | None:
    """As the column has it."""
    return _sha256(asked.token) if asked.token else None


def escalations_json(asked: Asked) -> list[JsonObject]:
    """As the column has them."""
    return [{"after": one.after, "to": list(one.to)} for one in asked.escalations]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class PostgresWaits:
    """Keeps waits and their answers."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def get(self, wait_id: int) -> Wait | None:
        """The wait of that number."""
        with transaction(self._engine) as connection:
            return _found(connection, wait_id)

    def waits(
        self,
        *,
        agent: str | None = None,
        run_id: str | None = None,
        open_only: bool = True,
        people_only: bool = False,
        limit: int = 100,
    ) -> list[Wait]:
        """What is waited for, the oldest first; see `WaitStore`."""
        wanted: list[sa.ColumnElement[bool]] = []
        if agent is not None:
            wanted.append(waits.c.agent == agent)
        if run_id is not None:
            wanted.append(waits.c.run_id == run_id)
        if open_only:
            wanted.append(waits.c.state == sa.literal_column("'open'"))
        if people_only:
            wanted.append(waits.c.kind.in_(_OF_PEOPLE))
        statement = _with_time().where(*wanted).order_by(waits.c.id).limit(limit)
        with transaction(self._engine) as connection:
            return [_wait(row) for row in connection.execute(statement)]

    def decide(self, wait_id: int, value: Value, *, by: str, note: str = "") -> Wait:
        """Answers; the same answer of the same person again changes nothing.

        Raises:
            UsageError: there is no such wait, it is answered otherwise or over, or `by` may not.
            StoreError: the value cannot be stored as JSON.
        """
        with transaction(self._engine) as connection:
            found = _locked(connection, wait_id)
            if found.state != "open" or _is_over(found, connection):
                if found.answer and (found.answer.value, found.answer.by) == (value, by):
                    return found
                raise UsageError(_told_over(found))
            _require(found, by)
            connection.execute(
                sa.update(waits)
                .where(waits.c.id == wait_id)
                .values(
                    state="answered",
                    value=value,
                    answered_by=by[:NAME],
                    note=storable(note)[:REASON],
                    answered_at=sa.func.now(),
                )
            )
            connection.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))
            return _must(_found(connection, wait_id))

    def called(self, token: str) -> Wait | None:
        """The callback of a token."""
        with transaction(self._engine) as connection:
            row = connection.execute(_with_time().where(waits.c.token == _sha256(token))).first()
        return _wait(row) if row else None

    def call_back(self, token: str, value: Value) -> Wait:
        """Answers a callback; the same answer again changes nothing.

        Raises:
            UsageError: there is none of that token, or it is answered otherwise or over.
            StoreError: the value cannot be stored as JSON.
        """
        found = self.called(token)
        if found is None:
            raise UsageError("Nobody waits for this call.")
        return self.decide(found.id, value, by=CALLER)

    def delegate(self, wait_id: int, *, by: str, to: str) -> Wait:
        """Lets somebody else answer, too.

        Raises:
            UsageError: there is no such open wait, anyone may answer it, or `by` may not.
        """
        with transaction(self._engine) as connection:
            found = _locked(connection, wait_id)
            if found.state != "open":
                raise UsageError(_told_over(found))
            if not found.people:
                raise UsageError(f"Anyone may answer {wait_id} already.")
            _require(found, by)
            row = connection.execute(sa.select(waits.c.people).where(waits.c.id == wait_id)).one()
            people = list(dict.fromkeys([*row.people, to[:NAME]]))
            connection.execute(sa.update(waits).where(waits.c.id == wait_id).values(people=people))
            return _must(_found(connection, wait_id))

    def hold(self, run_id: str, agent: str, path: str, asked: Asked) -> Wait:
        """Asks for a process that waits itself; asked again, it is the same wait.

        Args:
            run_id, agent, path: Whose step.
            asked: What for.
        """
        key = {"run_id": run_id, "path": path, "digest": digest(asked)}
        due: Any = asked.due
        if due is not None and not isinstance(due, datetime):
            due = sa.func.now() + timedelta(seconds=due)
        row = {
            **key,
            "agent": agent,
            "kind": asked.kind,
            "subject": asked.subject,
            "people": list(asked.people),
            "escalations": escalations_json(asked),
            "token": token_digest(asked),
            "due": due,
            "held": True,
        }
        same = sa.and_(*(waits.c[name] == value for name, value in key.items()))
        with transaction(self._engine) as connection:
            others = (
                (waits.c.run_id == run_id)
                & (waits.c.path == path)
                & (waits.c.digest != key["digest"])
                & (waits.c.state.in_(("open", "answered")))
            )
            connection.execute(sa.update(waits).where(others).values(state="closed"))
            again = waits.c.held.is_(False) & waits.c.state.in_(("open", "answered"))
            connection.execute(
                insert(waits)
                .values(row)
                .on_conflict_do_update(index_elements=list(key), set_={"held": True}, where=again)
            )
            return _wait(connection.execute(_with_time().where(same)).one())

    def hand_over(self, run_id: str, *, held: bool) -> None:
        """A process of the run's looks for its answers from now on, or the engine does.

        Args:
            run_id: Whose.
            held: Whether a process does.
        """
        statement = (
            sa.update(waits)
            .where(waits.c.run_id == run_id, waits.c.state.in_(("open", "answered")))
            .values(held=held)
        )
        with transaction(self._engine) as connection:
            connection.execute(statement)
            connection.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))

    def look(self, wait_id: int) -> Wait:
        """The wait as it is now: answered by nobody, if its time has run out.

        Raises:
            UsageError: there is none.
        """
        out = (waits.c.id == wait_id) & (waits.c.state == "open") & (waits.c.due <= sa.func.now())
        expiry = sa.update(waits).where(out).values(state="answered", answered_at=sa.func.now())
        with transaction(self._engine) as connection:
            connection.execute(expiry)
            return _must(_found(connection, wait_id))

    def take(self, wait_ids: Sequence[int]) -> None:
        """Their runs have gone on with the answers."""
        taking = (waits.c.id.in_(wait_ids)) & (waits.c.state == "answered")
        with transaction(self._engine) as connection:
            connection.execute(sa.update(waits).where(taking).values(state="taken"))


def _wait(row: sa.Row[Any]) -> Wait:
    """The wait in a row, with `now`, the database's time."""
    answer = None
    if row.answered_at is not None:
        answer = Answer(row.answered_at, row.value, row.answered_by, row.note or "")
    people = list(row.people)
    for one in row.escalations:
        if people and row.asked_at + timedelta(seconds=one["after"]) <= row.now:
            people += one["to"]
    return Wait(
        id=row.id,
        run_id=row.run_id,
        agent=row.agent,
        path=row.path,
        kind=row.kind,
        subject=row.subject,
        digest=row.digest,
        asked_at=row.asked_at,
        due=row.due,
        state=row.state,
        people=tuple(dict.fromkeys(people)),
        answer=answer,
    )


def _with_time() -> sa.Select[Any]:
    return sa.select(waits, sa.func.now().label("now"))


def _found(connection: sa.Connection, wait_id: int) -> Wait | None:
    row = connection.execute(_with_time().where(waits.c.id == wait_id)).first()
    return _wait(row) if row else None


def _locked(connection: sa.Connection, wait_id: int) -> Wait:
    statement = _with_time().where(waits.c.id == wait_id).with_for_update()
    row = connection.execute(statement).first()
    if row is None:
        raise UsageError(
            f"Nothing of number {wait_id} is waited for.", hint="`agentflow approvals` lists it."
        )
    return _wait(row)


def _must(found: Wait | None) -> Wait:
    if found is None:
        raise UsageError("What was waited for is gone.")
    return found


def _is_over(found: Wait, connection: sa.Connection) -> bool:
    now = connection.scalar(sa.select(sa.func.now()))
    return found.due is not None and now is not None and found.due <= now


def _require(found: Wait, by: str) -> None:
    """Raises:
    UsageError: this person may not answer.
    """
    if found.people and by not in found.people:
        raise UsageError(
            f"{by!r} may not answer {found.id}; {', '.join(found.people)} may.",
            hint=f"One of them can let you: agentflow delegate {found.id} NAME.",
        )


def _told_over(found: Wait) -> str:
    if found.answer is None:
        over = "its run has ended or asks for something else" if found.state == "closed" else ""
        return f"{found.id} is not waited for any more: {over or 'its time ran out'}."
    if found.answer.by is None:
        return f"{found.id} is not waited for any more: its time ran out."
    return f"{found.id} was answered by {found.answer.by} at {found.answer.at:%Y-%m-%d %H:%M}."
