"""What the engine owes: the runs that it has begun, and who may be the engine.

One process is the engine at a time: it holds a lock of the database for as long as the connection
lasts on which it writes. If the process dies the lock is free at once, and the next finds the runs.
An engine tells that it lives; one that has not for the length of its lease loses its connection,
and with it the place and whatever it has not committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.stores.changes import Change

if TYPE_CHECKING:
    from agentflow_dagster.stores.connection import Connection

_PLACE = 0x6166656E
"""The key of the lock."""
_EVICT = """
SELECT pg_terminate_backend(held.pid) FROM pg_locks AS held, agentflow.engine AS known
WHERE held.locktype = 'advisory' AND held.granted AND held.classid = 0 AND held.objid = $1
  AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND known.place = 1 AND known.beat_at < now() - $2 * interval '1 second'"""


async def take_place(connection: Connection) -> bool:
    """Whether this connection is the engine's from now on; False where another's is."""
    ((taken,),) = await connection.fetch("SELECT pg_try_advisory_lock($1)", _PLACE)
    return bool(taken)


async def beat(connection: Connection, holder: str) -> None:
    """The engine lives."""
    await connection.execute(
        "UPDATE agentflow.engine SET beat_at = now() WHERE place = 1 AND holder = $1", holder
    )


async def evict(connection: Connection, *, lease_seconds: float) -> bool:
    """Takes the place from an engine that has not told for so long that it lives, by ending the
    connection on which it writes; whether there was one."""
    ended = await connection.fetch(_EVICT, _PLACE, lease_seconds)
    return bool(ended)


async def holder(connection: Connection) -> str | None:
    """Who is the engine, or was before."""
    rows = await connection.fetch("SELECT holder FROM agentflow.engine WHERE place = 1")
    return rows[0]["holder"] if rows else None


async def last_holder(connection: Connection, name: str) -> str | None:
    """Who was the engine before; from now on it is `name`. Call it in the place alone."""
    before = await holder(connection)
    await connection.execute(
        "INSERT INTO agentflow.engine (place, holder) VALUES (1, $1)"
        " ON CONFLICT (place) DO UPDATE SET holder = excluded.holder, beat_at = now()",
        name,
    )
    return before


OWED = Change(
    "owed",
    "INSERT INTO agentflow.engine_runs (run_id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
)
"""Runs begin."""
SETTLED = Change("settled", "DELETE FROM agentflow.engine_runs WHERE run_id = ANY($1::text[])")
"""Runs have ended."""


async def owed(connection: Connection) -> list[str]:
    """Runs that were begun and have not ended, the first begun first."""
    rows = await connection.fetch("SELECT run_id FROM agentflow.engine_runs ORDER BY begun_at")
    return [row["run_id"] for row in rows]
