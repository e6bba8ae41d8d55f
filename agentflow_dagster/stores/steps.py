"""Values by (run, node) in PostgreSQL, the large ones in the artifact folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON, insert

from agentflow_dagster.ports.stores import StepOutput
from agentflow_dagster.spec.values import Part, join, split
from agentflow_dagster.stores.encoding import dump
from agentflow_dagster.stores.engine import transaction
from agentflow_dagster.stores.tables import step_outputs, step_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from agentflow_dagster.spec.values import JsonValue, Value
    from agentflow_dagster.stores.artifacts import ArtifactFolder

INLINE = 64 * 1024
"""Bytes up to which a value, or a part of it, stands in its row."""


_KEY = ("run_id", "node")


@dataclass(frozen=True, slots=True)
class StepRow:
    """What a step left, as its tables have it.

    Args:
        names: Run, node, port, and the artifact that holds the body, if one does.
        body: JSON, unless an artifact holds it.
        facts: JSON.
        parts: The rows of its parts.
    """

    names: tuple[str, str, str, str | None]
    body: str | None
    facts: str
    parts: list[dict[str, object]]


class PostgresStepStore:
    """Keeps what steps leave behind.

    Args:
        engine: The database.
        artifacts: Where values go that are larger than `INLINE`; written before the row that
            names them, so a row never names what is not there.
    """

    def __init__(self, engine: sa.Engine, artifacts: ArtifactFolder) -> None:
        self._engine = engine
        self._artifacts = artifacts

    def put(self, run_id: str, node: str, output: StepOutput) -> None:
        """Stores a step's output; a second attempt replaces the first."""
        with transaction(self._engine) as connection:
            row = self.row(run_id, node, output)
            if connection.scalar(_upsert(row)):
                of_step = (step_parts.c.run_id == run_id) & (step_parts.c.node == node)
                connection.execute(sa.delete(step_parts).where(of_step))
            if row.parts:
                connection.execute(sa.insert(step_parts), row.parts)

    def row(self, run_id: str, node: str, output: StepOutput) -> StepRow:
        """The row that an output becomes; what is too large for one is stored here and now."""
        body, parts = split(output.value)
        text = dump(body)
        data = text.encode()
        artifact = self._artifacts.put(data) if len(data) > INLINE else None
        key = {"run_id": run_id, "node": node}
        return StepRow(
            (run_id, node, output.port, artifact),
            None if artifact else text,
            dump(output.facts),
            [{**key, "part": name, **self._place_part(p)} for name, p in parts.items()],
        )

    def get(self, run_id: str, node: str) -> StepOutput | None:
        """What a step left, if it has finished."""
        of_step = (step_outputs.c.run_id == run_id) & (step_outputs.c.node == node)
        return self._read(of_step).get(node)

    def all(self, run_id: str) -> Mapping[str, StepOutput]:
        """Every finished step of a run, by node."""
        return self._read(step_outputs.c.run_id == run_id)

    def newest_run_with(self, agent_runs: Sequence[str], nodes: Sequence[str]) -> str | None:
        """The first of `agent_runs` (newest first) that has an output for every one of `nodes`."""
        wanted = set(nodes)
        if not wanted:
            return next(iter(agent_runs), None)
        complete = (
            sa.select(step_outputs.c.run_id)
            .where(step_outputs.c.run_id.in_(agent_runs), step_outputs.c.node.in_(wanted))
            .group_by(step_outputs.c.run_id)
            .having(sa.func.count() == len(wanted))
        )
        with transaction(self._engine) as connection:
            found = set(connection.scalars(complete))
        return next((run for run in agent_runs if run in found), None)

    def _place_part(self, part: Part) -> dict[str, object]:
        facts = {"media_type": part.media_type, "summary": dict(part.summary)}
        if len(part.data) <= INLINE:
            return {**facts, "data": part.data, "artifact": None}
        return {**facts, "data": None, "artifact": self._artifacts.put(part.data)}

    def _read(self, which: sa.ColumnElement[bool]) -> dict[str, StepOutput]:
        # One statement, so that a second attempt cannot come between a body and its parts.
        statement = _OUTPUTS_WITH_PARTS.where(which)
        with transaction(self._engine) as connection:
            rows = connection.execute(statement).all()
        parts: dict[str, dict[str, Part]] = {row.node: {} for row in rows}
        for row in rows:
            if row.part is not None:
                parts[row.node][row.part] = self._part(row)
        return {row.node: self._output(row, parts[row.node]) for row in rows}

    def _part(self, row: sa.Row[Any]) -> Part:
        data = row.data if row.artifact is None else self._artifacts.get(row.artifact)
        return Part(row.media_type, bytes(data), row.summary)

    def _output(self, row: sa.Row[Any], parts: Mapping[str, Part]) -> StepOutput:
        body: JsonValue = row.body
        if row.body_artifact is not None:
            body = json.loads(self._artifacts.get(row.body_artifact))
        value: Value = join(body, parts)
        return StepOutput(row.port, value, row.facts)


def _upsert(row: StepRow) -> sa.Executable:
    """Stores a row; it tells whether one was there before."""
    step = {
        **dict(zip(("run_id", "node", "port", "body_artifact"), row.names, strict=True)),
        "body": sa.cast(sa.literal(row.body, sa.Text), JSON),
        "facts": sa.cast(sa.literal(row.facts, sa.Text), JSON),
    }
    upsert = insert(step_outputs).values(step)
    changes = {name: upsert.excluded[name] for name in step if name not in _KEY}
    # PostgreSQL's mark of a row that was there before: the transaction that locked it.
    replaced = sa.literal_column("xmax <> 0", sa.Boolean)
    return upsert.on_conflict_do_update(
        index_elements=_KEY, set_={**changes, "created_at": sa.func.now()}
    ).returning(replaced)


_OUTPUTS_WITH_PARTS = sa.select(
    step_outputs.c.node,
    step_outputs.c.port,
    step_outputs.c.body,
    step_outputs.c.body_artifact,
    step_outputs.c.facts,
    step_parts.c.part,
    step_parts.c.media_type,
    step_parts.c.summary,
    step_parts.c.data,
    step_parts.c.artifact,
).join_from(step_outputs, step_parts, isouter=True)
