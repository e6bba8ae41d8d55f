"""Runs that are past their age: which of them may go, and how they do.

Nothing here takes the lock of event ids, and rows that somebody else has locked are passed over, so
that nobody who writes waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from agentflow_dagster.orchestration import names
from agentflow_dagster.stores.ages import forget_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ASSET_JOB = "__ASSET_JOB"

_LAST = sa.text("""
SELECT coalesce(
  (SELECT id - 1 FROM runs WHERE create_timestamp >= to_timestamp(:latest) AT TIME ZONE 'UTC'
   ORDER BY id LIMIT 1),
  (SELECT max(id) FROM runs), 0)""")
_OLD = sa.text("""
SELECT r.id, r.run_id, r.pipeline_name AS job, coalesce(whose.value, '') AS agent
FROM runs AS r
LEFT JOIN run_tags AS whose ON whose.run_id = r.run_id AND whose.key = :agent_tag
LEFT JOIN unnest(CAST(:agents AS text[]), CAST(:cuts AS float8[])) AS own (name, before)
  ON own.name = whose.value
WHERE r.id > :after AND r.id <= :last AND r.status IN ('SUCCESS', 'FAILURE', 'CANCELED')
  AND coalesce(r.end_time, extract(epoch FROM r.update_timestamp)) < coalesce(own.before, :before)
  AND NOT EXISTS (SELECT 1 FROM agentflow.failures AS owed
                  WHERE owed.run_id = r.run_id AND owed.state IN ('new', 'waiting'))
ORDER BY r.id LIMIT :most FOR UPDATE OF r SKIP LOCKED""")
_NEWEST = sa.text("""
SELECT DISTINCT e.run_id FROM event_logs AS e
WHERE e.run_id = ANY(:runs) AND e.asset_key IS NOT NULL
  AND e.dagster_event_type IN ('ASSET_MATERIALIZATION', 'ASSET_OBSERVATION')
  AND NOT EXISTS (
    SELECT 1 FROM event_logs AS n WHERE e.partition IS NULL AND n.asset_key = e.asset_key
      AND n.dagster_event_type = e.dagster_event_type AND n.partition IS NULL AND n.id > e.id)
  AND NOT EXISTS (
    SELECT 1 FROM event_logs AS n WHERE n.asset_key = e.asset_key
      AND n.dagster_event_type = e.dagster_event_type AND n.partition = e.partition AND n.id > e.id)
""")
_CHECKED = sa.text("""
SELECT DISTINCT run_id FROM event_logs
WHERE run_id = ANY(:runs) AND dagster_event_type LIKE 'ASSET_CHECK_EVALUATION%'""")
_NEWEST_CHECKS = sa.text("""
SELECT DISTINCT c.run_id FROM asset_check_executions AS c
WHERE c.run_id = ANY(:runs) AND NOT EXISTS (
  SELECT 1 FROM asset_check_executions AS n
  WHERE n.asset_key = c.asset_key AND n.check_name = c.check_name AND n.id > c.id)""")
_LINKS = ("dagster/parent_run_id", "dagster/root_run_id", names.PARENT_RUN_TAG)
_NAMED_BY = sa.text("""
SELECT value AS run_id, run_id AS by FROM run_tags WHERE key = ANY(:links) AND value = ANY(:runs)
UNION ALL
SELECT t.value, t.run_id FROM run_tags AS part
JOIN run_tags AS t ON t.run_id = part.run_id AND t.key LIKE :source_tag AND t.value = ANY(:runs)
WHERE part.key = :part_tag""")
_KEYS = sa.text("""
SELECT DISTINCT run_id || '/' || (asset_key::json ->> 0) FROM event_logs
WHERE run_id = ANY(:runs) AND asset_key IS NOT NULL""")
_CHECKS_GO = sa.text("DELETE FROM asset_check_executions WHERE run_id = ANY(:runs)")
_TAGS_GO = sa.text("""
DELETE FROM asset_event_tags USING event_logs AS e
WHERE e.run_id = ANY(:runs) AND asset_event_tags.event_id = e.id""")
_EVENTS_GO = sa.text("DELETE FROM event_logs WHERE run_id = ANY(:runs)")
_RUNS_GO = sa.text("DELETE FROM runs WHERE run_id = ANY(:runs)")


@dataclass(frozen=True, slots=True)
class OldRun:
    """A run that is past its age; `agent` is "" where it is none's."""

    id: int
    run_id: str
    agent: str
    job: str


@dataclass(frozen=True, slots=True)
class Gone:
    """How much went with some runs."""

    events: int
    outputs: int


def last_before(connection: sa.Connection, moment: float) -> int:
    """The id of the last run that was made before a moment (Unix seconds)."""
    return int(connection.execute(_LAST, {"latest": moment}).scalar_one())


def ended_before(
    connection: sa.Connection,
    cuts: Mapping[str, float],
    *,
    otherwise: float,
    after: int,
    last: int,
    most: int,
) -> list[OldRun]:
    """Runs that ended too long ago, in the order of their ids; those that somebody else is changing
    are left out, and the others locked.

    Args:
        connection: Where.
        cuts: Unix seconds by agent.
        otherwise: Of runs whose agent is not among them, or that are none's.
        after: Only those with a higher id,
        last: and no higher than this.
        most: How many.
    """
    given = {
        "agent_tag": names.AGENT_TAG,
        "agents": list(cuts),
        "cuts": list(cuts.values()),
        "before": otherwise,
        "after": after,
        "last": last,
        "most": most,
    }
    rows = connection.execute(_OLD, given)
    return [OldRun(row.id, row.run_id, row.agent, row.job) for row in rows]


def without_kept(connection: sa.Connection, old: Sequence[OldRun]) -> list[OldRun]:
    """Those of a batch that may go: not the newest of an asset, a partition or a check, nor what a
    run names that stays."""
    given = {"runs": [run.run_id for run in old]}
    kept = set(connection.scalars(_NEWEST, given))
    checked = list(connection.scalars(_CHECKED, given))
    if checked:
        kept |= set(connection.scalars(_NEWEST_CHECKS, {"runs": checked}))
    links = {
        "links": list(_LINKS),
        "source_tag": f"{names.SOURCE_RUN_TAG}%",
        "part_tag": names.PARTIAL_TAG,
    }
    named = connection.execute(_NAMED_BY, {**given, **links}).all()
    going = set(given["runs"]) - kept
    while held := {run_id for run_id, by in named if run_id in going and by not in going}:
        going -= held
    return [run for run in old if run.run_id in going]


def delete(connection: sa.Connection, runs: Sequence[OldRun]) -> Gone:
    """Deletes runs with all that the database has of them."""
    given = {"runs": [run.run_id for run in runs]}
    asset_jobs = [run.run_id for run in runs if run.job.startswith(_ASSET_JOB)]
    # Of a run of several agents the values stand under its id and the agent's name.
    of_several = connection.scalars(_KEYS, {"runs": asset_jobs}) if asset_jobs else ()
    outputs = forget_outputs(connection, [*given["runs"], *of_several])
    if list(connection.scalars(_CHECKED, given)):
        connection.execute(_CHECKS_GO, given)
    connection.execute(_TAGS_GO, given)
    events = connection.execute(_EVENTS_GO, given).rowcount
    connection.execute(_RUNS_GO, given)
    return Gone(events, outputs)
