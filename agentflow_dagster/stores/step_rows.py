"""Stores what many steps left in the transaction of whoever records their runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agentflow_dagster.stores.changes import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agentflow_dagster.stores.connection import Connection
    from agentflow_dagster.stores.steps import StepRow

OUTPUTS = Change(
    "outputs",
    """
    INSERT INTO agentflow.step_outputs (run_id, node, port, body_artifact, body, facts)
    SELECT run_id, node, port, body_artifact, body::json, facts::json
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
      AS new (run_id, node, port, body_artifact, body, facts)
    ON CONFLICT (run_id, node) DO UPDATE SET port = excluded.port, body = excluded.body,
      body_artifact = excluded.body_artifact, facts = excluded.facts, created_at = now()
    RETURNING run_id, node, xmax <> 0 AS replaced""",
    "array_agg(ARRAY[run_id, node]) FILTER (WHERE replaced)",
)
"""Stores outputs; it tells of those that were there before."""
_FORGET = """
DELETE FROM agentflow.step_parts USING unnest($1::text[], $2::text[]) AS old (run_id, node)
WHERE step_parts.run_id = old.run_id AND step_parts.node = old.node"""
_PARTS = ("run_id", "node", "part", "media_type", "summary", "data", "artifact")


def last_of_each(rows: Iterable[StepRow]) -> list[StepRow]:
    """Of two of one step, the later one."""
    return list({row.names[:2]: row for row in rows}.values())


def output_values(rows: Sequence[StepRow]) -> list[list[str | None]]:
    """The values of `OUTPUTS` for rows of different steps."""
    return [
        *([row.names[number] for row in rows] for number in range(4)),
        [row.body for row in rows],
        [row.facts for row in rows],
    ]


async def store_parts(
    connection: Connection, rows: Sequence[StepRow], replaced: Sequence[Sequence[str]] | None
) -> None:
    """Stores the parts of outputs that were stored in this transaction.

    Args:
        connection: Where.
        rows: The outputs.
        replaced: Run and node of those that were there before, as `OUTPUTS` tells them.
    """
    if replaced:
        await connection.execute(
            _FORGET, [run_id for run_id, _ in replaced], [node for _, node in replaced]
        )
    parts = [{**part, "summary": json.dumps(part["summary"])} for row in rows for part in row.parts]
    if parts:
        await connection.executemany(
            "INSERT INTO agentflow.step_parts (run_id, node, part, media_type, summary, data,"
            " artifact) VALUES ($1, $2, $3, $4, $5::json, $6, $7)",
            [tuple(part[name] for name in _PARTS) for part in parts],
        )
