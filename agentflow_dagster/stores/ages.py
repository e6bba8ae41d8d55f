"""What of schema `agentflow` is past its age: how long agents keep their runs, and what goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SAID = sa.text("""
SELECT live.agent, (of.document->'spec'->'config'->>'retentionDays')::integer AS days
FROM (SELECT DISTINCT ON (environment, agent) agent, version_hash FROM agentflow.deployments
      ORDER BY environment, agent, id DESC) AS live
JOIN agentflow.versions AS of ON of.hash = live.version_hash""")
_OUTPUTS = sa.text("DELETE FROM agentflow.step_outputs WHERE run_id = ANY(:keys)")
_WAITS = sa.text("DELETE FROM agentflow.waits WHERE run_id = ANY(:keys)")
_FAILURES = sa.text("DELETE FROM agentflow.failures WHERE run_id = ANY(:keys)")
_OLD_EVENTS = """
SELECT id FROM agentflow.inbox
LEFT JOIN unnest(CAST(:agents AS text[]), CAST(:cuts AS float8[])) AS own (name, before)
  ON own.name = inbox.agent
WHERE id > :after AND state <> 'pending'
  AND extract(epoch FROM received_at) < coalesce(own.before, :before)
ORDER BY id LIMIT :most"""
_SOME_EVENTS = sa.text(_OLD_EVENTS)
_EVENTS = sa.text(
    f"DELETE FROM agentflow.inbox WHERE id IN ({_OLD_EVENTS} FOR UPDATE OF inbox SKIP LOCKED)"  # noqa: S608 - a constant
    " RETURNING id"
)
_OLD_REPLIES = """
SELECT key FROM agentflow.model_memo
LEFT JOIN unnest(CAST(:agents AS text[]), CAST(:cuts AS float8[])) AS own (name, before)
  ON own.name = model_memo.agent
WHERE extract(epoch FROM created_at) < coalesce(own.before, :before)"""
_COUNTED_REPLIES = sa.text(f"SELECT count(*) FROM ({_OLD_REPLIES}) AS old")  # noqa: S608 - a constant
_REPLIES = sa.text(
    f"DELETE FROM agentflow.model_memo WHERE key IN ({_OLD_REPLIES} LIMIT :most"  # noqa: S608 - a constant
    " FOR UPDATE OF model_memo SKIP LOCKED)"
)
_NAMED = sa.text("""
SELECT digest FROM unnest(CAST(:digests AS text[])) AS digest
WHERE EXISTS (SELECT 1 FROM agentflow.step_outputs WHERE body_artifact = digest)
   OR EXISTS (SELECT 1 FROM agentflow.step_parts WHERE artifact = digest)""")


def days_said(connection: sa.Connection) -> Mapping[str, Sequence[int | None]]:
    """How many days each agent says that it keeps its runs, once for each environment to which it
    was deployed; None where it says nothing."""
    found: dict[str, list[int | None]] = {}
    for row in connection.execute(_SAID):
        found.setdefault(row.agent, []).append(row.days)
    return found


def forget_outputs(connection: sa.Connection, keys: Sequence[str]) -> int:
    """Deletes all that the steps of runs left, and what they waited for or
    are owed; how many steps."""
    for statement in (_WAITS, _FAILURES):
        connection.execute(statement, {"keys": list(keys)})
    return connection.execute(_OUTPUTS, {"keys": list(keys)}).rowcount


def forget_events(
    connection: sa.Connection,
    cuts: Mapping[str, float],
    *,
    otherwise: float,
    after: int,
    most: int,
    dry: bool,
) -> list[int]:
    """Deletes events of the inbox that are settled and were received too long ago; their ids.

    Args:
        connection: Where.
        cuts: Unix seconds by agent; what is older goes.
        otherwise: Of agents that are not among them.
        after: Only those with a higher id.
        most: How many at a time.
        dry: Whether they stay.
    """
    given = {
        "agents": list(cuts),
        "cuts": list(cuts.values()),
        "before": otherwise,
        "after": after,
        "most": most,
    }
    return list(connection.scalars(_SOME_EVENTS if dry else _EVENTS, given))


def forget_replies(
    connection: sa.Connection,
    cuts: Mapping[str, float],
    *,
    otherwise: float,
    most: int,
    dry: bool,
) -> int:
    """Deletes replies of models that were kept too long ago to be given again; how many.

    Args:
        connection: Where.
        cuts: Unix seconds by agent; what is older goes.
        otherwise: Of agents that are not among them.
        most: How many at a time.
        dry: Whether they stay, and all are counted.
    """
    given = {"agents": list(cuts), "cuts": list(cuts.values()), "before": otherwise}
    if dry:
        return int(connection.scalar(_COUNTED_REPLIES, given))
    return connection.execute(_REPLIES, {**given, "most": most}).rowcount


def still_named(connection: sa.Connection, digests: Sequence[str]) -> set[str]:
    """The artifacts among these that some output names."""
    return set(connection.scalars(_NAMED, {"digests": list(digests)}))
