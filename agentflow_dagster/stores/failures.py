"""What is owed for runs that failed, in PostgreSQL. Events that never became a run stand in the
inbox, and are dead letters too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sqlalchemy as sa

from agentflow_dagster.errors import UsageError
from agentflow_dagster.ports.failures import DeadLetter, Due
from agentflow_dagster.stores.changes import Change
from agentflow_dagster.stores.encoding import storable
from agentflow_dagster.stores.engine import transaction
from agentflow_dagster.stores.tables import REASON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.ports.failures import Sent, Verdict

SHOWN = 200
"""Characters of an input that are kept to be shown."""
_LETTER = re.compile(r"(run|call)-([1-9][0-9]{0,17})")

NOTED = Change(
    "failures",
    """
    INSERT INTO agentflow.failures (run_id) SELECT unnest($1::text[])
    ON CONFLICT (run_id) DO NOTHING""",
)
_NOTE = sa.text("""
INSERT INTO agentflow.failures (run_id) SELECT unnest(CAST(:runs AS text[]))
ON CONFLICT (run_id) DO NOTHING""")
_NOTE_MADE = sa.text("""
UPDATE agentflow.failures SET made = :made
WHERE id = :id AND state = 'waiting' AND made IS NULL""")
_UNJUDGED = sa.text(
    "SELECT id, run_id FROM agentflow.failures WHERE state = 'new' ORDER BY id LIMIT :limit"
)
_NOTHING_OWED = sa.text("DELETE FROM agentflow.failures WHERE id = :id AND state = 'new'")
_OWED = sa.text("""
UPDATE agentflow.failures SET state = :state, agent = :agent, trigger = :trigger,
  attempts = :attempts, error = :error, input = :input, again = :again,
  due = failed_at + :wait * interval '1 second'
WHERE id = :id AND state = 'new'""")
_DUE = sa.text("""
SELECT id, run_id, attempts, again, made FROM agentflow.failures
WHERE state = 'waiting' AND due <= now() ORDER BY due LIMIT :limit""")
_STARTED = sa.text(
    "UPDATE agentflow.failures SET state = 'started' WHERE id = :id AND made IS NOT NULL"
)
_LATER = sa.text(
    "UPDATE agentflow.failures SET due = now() + :wait * interval '1 second'"
    " WHERE id = :id AND state = 'waiting'"
)
_GIVEN_UP = sa.text("""
UPDATE agentflow.failures SET state = 'dead', error = :error, due = NULL
WHERE id = :id AND state = 'waiting' AND made IS NULL""")
_DEAD = sa.text("""
SELECT * FROM (
  SELECT 'run-' || id AS id, agent, trigger, input, error, attempts, failed_at AS at, run_id
  FROM agentflow.failures WHERE state = 'dead'
  UNION ALL
  SELECT 'call-' || id, agent, trigger, left(event::text, :shown), reason, 0, received_at, NULL
  FROM agentflow.inbox WHERE state = 'rejected'
) AS letters
WHERE CAST(:agent AS text) IS NULL OR replace(agent, '_', '-') = replace(:agent, '_', '-')
ORDER BY at DESC LIMIT :limit""")
_SEND = {
    "run": sa.text("""
        UPDATE agentflow.failures SET state = 'waiting', again = 'whole', due = now()
        WHERE id = :id AND state = 'dead'"""),
    "call": sa.text("""
        UPDATE agentflow.inbox SET state = 'pending', reason = NULL, claimed_by = NULL,
          claimed_until = NULL
        WHERE id = :id AND state = 'rejected'"""),
}
_SENT = {
    "run": sa.text("""
        SELECT 1 FROM agentflow.failures WHERE id = :id AND state IN ('waiting', 'started')"""),
    "call": sa.text("""
        SELECT 1 FROM agentflow.inbox WHERE id = :id AND state IN ('pending', 'started')"""),
}
_DROP = {
    "run": sa.text(
        "UPDATE agentflow.failures SET state = 'dropped' WHERE id = :id AND state = 'dead'"
    ),
    "call": sa.text(
        "UPDATE agentflow.inbox SET state = 'dropped' WHERE id = :id AND state = 'rejected'"
    ),
}


class PostgresFailures:
    """Keeps what is owed for runs that failed."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def unjudged(self, *, limit: int = 100) -> Sequence[tuple[int, str]]:
        """Failures of which nobody has said what is owed, the first first."""
        with transaction(self._engine) as connection:
            rows = connection.execute(_UNJUDGED, {"limit": limit}).all()
        return [(row.id, row.run_id) for row in rows]

    def judge(self, id_: int, verdict: Verdict | None) -> None:
        """Says what is owed for a failure; what was said first holds."""
        if verdict is None:
            self._do(_NOTHING_OWED, id=id_)
            return
        self._do(
            _OWED,
            id=id_,
            state="dead" if verdict.wait_seconds is None else "waiting",
            agent=verdict.agent,
            trigger=verdict.trigger,
            attempts=verdict.attempts,
            error=storable(verdict.error)[:REASON],
            input=storable(verdict.input)[:SHOWN],
            again=verdict.again,
            wait=verdict.wait_seconds,
        )

    def due(self, *, limit: int = 20) -> Sequence[Due]:
        """Those whose time has come, the first due first."""
        with transaction(self._engine) as connection:
            rows = connection.execute(_DUE, {"limit": limit}).all()
        return [Due(row.id, row.run_id, row.attempts, row.again, row.made) for row in rows]

    def started(self, id_: int) -> None:
        """The run that was made for it is under way."""
        self._do(_STARTED, id=id_)

    def put_off(self, id_: int, seconds: float) -> None:
        """Has it tried again that much later."""
        self._do(_LATER, id=id_, wait=seconds)

    def give_up(self, id_: int, error: str) -> None:
        """Leaves it to a person."""
        self._do(_GIVEN_UP, id=id_, error=storable(error)[:REASON])

    def dead(self, agent: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        """What only a person can take on, the newest first; an agent is named with `-` or `_`."""
        given = {"agent": agent, "limit": limit, "shown": SHOWN}
        with transaction(self._engine) as connection:
            rows = connection.execute(_DEAD, given).all()
        return [
            DeadLetter(
                *(row.id, row.agent, row.trigger, row.input, row.error, row.attempts, row.at),
                run_id=row.run_id,
            )
            for row in rows
        ]

    def send(self, letter: str) -> Sent:
        """Asks for a dead letter's run again; once, however often it is said."""
        kind, id_ = _parts(letter)
        with transaction(self._engine) as connection:
            if connection.execute(_SEND[kind], {"id": id_}).rowcount:
                return "asked"
            sent = connection.execute(_SENT[kind], {"id": id_}).first()
        return "asked before" if sent else "not there"

    def drop(self, letter: str) -> bool:
        """Owes nothing for a dead letter any more."""
        kind, id_ = _parts(letter)
        return self._do(_DROP[kind], id=id_) == 1

    def _do(self, statement: sa.TextClause, **given: object) -> int:
        with transaction(self._engine) as connection:
            return connection.execute(statement, given).rowcount


def note_failures(connection: sa.Connection, runs: Sequence[str]) -> None:
    """Notes that runs have failed, in the transaction that records it."""
    connection.execute(_NOTE, {"runs": list(runs)})


def note_made(connection: sa.Connection, id_: int, run_id: str) -> bool:
    """Notes the run that is made for a failure, in the transaction that makes it; False where there
    is one, or none is owed."""
    return connection.execute(_NOTE_MADE, {"id": id_, "made": run_id}).rowcount == 1


def _parts(letter: str) -> tuple[str, int]:
    found = _LETTER.fullmatch(letter)
    if found is None:
        raise UsageError(
            f"{letter!r} is no dead letter.", hint="`agentflow dlq list` shows their ids: run-7."
        )
    return found[1], int(found[2])
