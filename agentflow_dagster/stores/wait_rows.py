"""Waits as the engine keeps them: asked for in the transaction of their run's record, and looked
through for what has an answer."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from agentflow_dagster.ports.waits import Answer
from agentflow_dagster.stores.encoding import dump, storable
from agentflow_dagster.stores.waits import CHANNEL, digest, escalations_json, token_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.ports.waits import Asked
    from agentflow_dagster.stores.connection import Connection

MOST = 1_000
"""That are looked at together."""
_ASK = """
INSERT INTO agentflow.waits
  (run_id, agent, path, kind, subject, digest, people, escalations, token, due)
SELECT run_id, agent, path, kind, subject::json, digest, people::json, escalations::json,
  token, coalesce(due_at, now() + due_in * interval '1 second')
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
  $8::text[], $9::text[], $10::timestamptz[], $11::float[])
  AS new (run_id, agent, path, kind, subject, digest, people, escalations, token, due_at, due_in)
ON CONFLICT (run_id, path, digest) DO UPDATE SET state = 'open', asked_at = now(),
  due = excluded.due, token = excluded.token, value = NULL, answered_by = NULL, note = NULL,
  answered_at = NULL
WHERE waits.state = 'closed'"""
_CLOSE_OTHERS = """
UPDATE agentflow.waits SET state = 'closed'
FROM unnest($1::text[], $2::text[], $3::text[]) AS new (run_id, path, digest)
WHERE waits.run_id = new.run_id AND waits.path = new.path AND waits.digest <> new.digest
  AND waits.state IN ('open', 'answered')"""
_CLOSE_STALE = """
UPDATE agentflow.waits SET state = 'closed'
FROM unnest($1::text[], $2::text[], $3::text[]) AS old (run_id, path, digest)
WHERE waits.run_id = old.run_id AND waits.path = old.path AND waits.digest = old.digest
  AND waits.state IN ('open', 'answered')"""
_TAKE = """
UPDATE agentflow.waits SET state = 'taken'
WHERE id = ANY($1::bigint[]) AND state = 'answered'"""
_CLOSE = """
UPDATE agentflow.waits SET state = 'closed'
WHERE run_id = ANY($1::text[]) AND state IN ('open', 'answered')"""
_EXPIRE = """
UPDATE agentflow.waits SET state = 'answered', answered_at = now()
WHERE id IN (
  SELECT id FROM agentflow.waits WHERE state = 'open' AND due <= now()
  ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED)"""
_ANSWERED = """
SELECT id, run_id, path, digest, value, answered_by, note, answered_at FROM agentflow.waits
WHERE state = 'answered' AND NOT held ORDER BY id LIMIT $1"""
_NEXT = """
SELECT extract(epoch FROM min(due) - now())::float AS seconds
FROM agentflow.waits WHERE state = 'open'"""


@dataclass(frozen=True, slots=True)
class WaitRow:
    """A wait to be asked for.

    Args:
        run_id, agent, path: Whose step.
        asked: What for.
    """

    run_id: str
    agent: str
    path: str
    asked: Asked


@dataclass(frozen=True, slots=True)
class Answered:
    """A wait that has an answer which its run does not know of.

    Args:
        id: Its number.
        run_id, path: Whose step.
        digest: What exactly it is an answer to.
        answer: What came.
    """

    id: int
    run_id: str
    path: str
    digest: str
    answer: Answer


@dataclass(slots=True)
class WaitChanges:
    """What becomes of what runs wait for, in one transaction.

    Args:
        asked: What they wait for from now on.
        stale: What was asked and nobody waits for any more: run, path and digest.
        answered: The runs that have gone on with an answer, each with the number of its wait.
        over: Runs that wait for nothing any more.
    """

    asked: list[WaitRow] = field(default_factory=list[WaitRow])
    stale: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    answered: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    over: list[str] = field(default_factory=list[str])

    def by_run(self) -> dict[str, WaitChanges]:
        """The same, for each run."""
        found: defaultdict[str, WaitChanges] = defaultdict(WaitChanges)
        for row in self.asked:
            found[row.run_id].asked.append(row)
        for place in self.stale:
            found[place[0]].stale.append(place)
        for answer in self.answered:
            found[answer[0]].answered.append(answer)
        for run_id in self.over:
            found[run_id].over.append(run_id)
        return dict(found)

    def join(self, other: WaitChanges) -> None:
        """Adds others to these."""
        self.asked += other.asked
        self.stale += other.stale
        self.answered += other.answered
        self.over += other.over


async def store(connection: Connection, changes: WaitChanges) -> None:
    """Asks, notes what has gone on, and closes what is over."""
    if changes.asked:
        await _ask(connection, changes.asked)
    if changes.stale:
        columns = [list(column) for column in zip(*changes.stale, strict=True)]
        await connection.execute(_CLOSE_STALE, *columns)
    if changes.answered:
        await connection.execute(_TAKE, [wait_id for _, wait_id in changes.answered])
    if changes.over:
        await connection.execute(_CLOSE, changes.over)


async def _ask(connection: Connection, rows: Sequence[WaitRow]) -> None:
    """Asks; what was asked for at the same place before, and not the same, is closed."""
    asked = [row.asked for row in rows]
    runs, paths = [row.run_id for row in rows], [row.path for row in rows]
    digests = [digest(one) for one in asked]
    dues = [one.due for one in asked]
    await connection.execute(_CLOSE_OTHERS, runs, paths, digests)
    await connection.execute(
        _ASK,
        runs,
        [row.agent for row in rows],
        paths,
        [one.kind for one in asked],
        [storable(dump(one.subject)) for one in asked],
        digests,
        [dump(list(one.people)) for one in asked],
        [dump(list(escalations_json(one))) for one in asked],
        [token_digest(one) for one in asked],
        [due if isinstance(due, datetime) else None for due in dues],
        [due if isinstance(due, float) else None for due in dues],
    )
    await connection.execute("SELECT pg_notify($1, '')", CHANNEL)


async def expire(connection: Connection) -> bool:
    """Answers for nobody what has waited for as long as it may; whether there may be more."""
    done = await connection.execute(_EXPIRE, MOST)
    return done.endswith(f" {MOST}")


async def answered(connection: Connection) -> list[Answered]:
    """What has an answer that its run does not know of, the oldest first."""
    rows = await connection.fetch(_ANSWERED, MOST)
    return [
        Answered(
            row["id"],
            row["run_id"],
            row["path"],
            row["digest"],
            Answer(
                row["answered_at"],
                None if row["value"] is None else json.loads(row["value"]),
                row["answered_by"],
                row["note"] or "",
            ),
        )
        for row in rows
    ]


async def seconds_to_next(connection: Connection) -> float | None:
    """How long until the next wait ends by itself; None where none does."""
    ((seconds,),) = await connection.fetch(_NEXT)
    return seconds
