"""Stores what many steps left in the transaction of whoever records their runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.stores.connection import Connection
    from agentflow_dagster.stores.steps import StepRow

_UPSERT = """
INSERT INTO agentflow.step_outputs (run_id, node, port, body_artifact, body, facts)
SELECT run_id, node, port, body_artifact, body::json, facts::json
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
  AS new (run_id, node, port, body_artifact, body, facts)
ON CONFLICT (run_id, node) DO UPDATE SET port = excluded.port, body = excluded.body,
  body_artifact = excluded.body_artifact, facts = excluded.facts, created_at = now()
RETURNING run_id, node, xmax <> 0 AS replaced"""
_FORGET = """
DELETE FROM agentflow.step_parts USING unnest($1::text[], $2::text[]) AS old (run_id, node)
WHERE step_parts.run_id = old.run_id AND step_parts.node = old.node"""
_PARTS = ("run_id", "node", "part", "media_type", "summary", "data", "artifact")


async def store_rows(connection: Connection, rows: Sequence[StepRow]) -> None:
    """Stores outputs; of two of one step, the later one."""
    last = list({row.names[:2]: row for row in rows}.values())
    stored = await connection.fetch(
        _UPSERT,
        *[list(column) for column in zip(*(row.names for row in last), strict=True)],
        [row.body for row in last],
        [row.facts for row in last],
    )
    replaced = [row for row in stored if row["replaced"]]
    if replaced:
        await connection.execute(
            _FORGET, [row["run_id"] for row in replaced], [row["node"] for row in replaced]
        )
    parts = [{**part, "summary": json.dumps(part["summary"])} for row in last for part in row.parts]
    if parts:
        await connection.executemany(
            "INSERT INTO agentflow.step_parts (run_id, node, part, media_type, summary, data,"
            " artifact) VALUES ($1, $2, $3, $4, $5::json, $6, $7)",
            [tuple(part[name] for name in _PARTS) for part in parts],
        )
