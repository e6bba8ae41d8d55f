"""Versions and deployments, step outputs, the inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op

if TYPE_CHECKING:
    from datetime import datetime

revision = "0001"
down_revision = None

SCHEMA = "agentflow"


def upgrade() -> None:
    """Makes the tables."""
    _make_version_tables()
    _make_step_tables()
    _make_inbox()


def downgrade() -> None:
    """Drops the tables with all that they hold."""
    for table in ("inbox", "step_parts", "step_outputs", "generations", "deployments", "versions"):
        op.drop_table(table, schema=SCHEMA)


def _make_version_tables() -> None:
    op.create_table(
        "versions",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(255), nullable=False),
        sa.Column("number", sa.Integer),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("source", sa.JSON, nullable=False),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("hash", name="pk_versions"),
        sa.UniqueConstraint("agent", "number", name="uq_versions_agent_number"),
        schema=SCHEMA,
    )
    op.create_table(
        "deployments",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False),
        sa.Column("environment", sa.String(255), nullable=False),
        sa.Column("agent", sa.String(255), nullable=False),
        sa.Column("version_hash", sa.String(64), nullable=False),
        _moment("deployed_at", sa.func.clock_timestamp()),
        sa.PrimaryKeyConstraint("id", name="pk_deployments"),
        sa.ForeignKeyConstraint(
            ["version_hash"], [f"{SCHEMA}.versions.hash"], name="fk_deployments_versions"
        ),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_deployments_environment_agent_id",
        "deployments",
        ["environment", "agent", "id"],
        schema=SCHEMA,
    )
    op.create_table(
        "generations",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("members", sa.JSON, nullable=False),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_generations"),
        schema=SCHEMA,
    )


def _make_step_tables() -> None:
    op.create_table(
        "step_outputs",
        sa.Column("run_id", sa.String(255), nullable=False),
        sa.Column("node", sa.String(255), nullable=False),
        sa.Column("port", sa.String(255), nullable=False),
        sa.Column("body", sa.JSON),
        sa.Column("body_artifact", sa.String(64)),
        sa.Column("facts", sa.JSON, nullable=False),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("run_id", "node", name="pk_step_outputs"),
        sa.CheckConstraint(
            "num_nonnulls(body, body_artifact) = 1", name=op.f("ck_step_outputs_one_place")
        ),
        schema=SCHEMA,
    )
    op.create_table(
        "step_parts",
        sa.Column("run_id", sa.String(255), nullable=False),
        sa.Column("node", sa.String(255), nullable=False),
        sa.Column("part", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(255), nullable=False),
        sa.Column("summary", sa.JSON, nullable=False),
        sa.Column("data", sa.LargeBinary),
        sa.Column("artifact", sa.String(64)),
        sa.PrimaryKeyConstraint("run_id", "node", "part", name="pk_step_parts"),
        sa.ForeignKeyConstraint(
            ["run_id", "node"],
            [f"{SCHEMA}.step_outputs.run_id", f"{SCHEMA}.step_outputs.node"],
            name="fk_step_parts_step_outputs",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "num_nonnulls(data, artifact) = 1", name=op.f("ck_step_parts_one_place")
        ),
        schema=SCHEMA,
    )


def _make_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False),
        sa.Column("agent", sa.String(255), nullable=False),
        sa.Column("trigger", sa.String(255), nullable=False),
        sa.Column("event", sa.JSON, nullable=False),
        sa.Column("idempotency_key", sa.String(500)),
        _moment("received_at"),
        sa.Column("state", sa.String(16), nullable=False, server_default="pending"),
        sa.Column("run_id", sa.String(255)),
        sa.Column("reason", sa.String(2000)),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.UniqueConstraint(
            "agent", "trigger", "idempotency_key", name="uq_inbox_agent_trigger_idempotency_key"
        ),
        sa.CheckConstraint(
            "CASE state WHEN 'pending' THEN run_id IS NULL AND reason IS NULL"
            " WHEN 'started' THEN run_id IS NOT NULL AND reason IS NULL"
            " WHEN 'rejected' THEN run_id IS NULL AND reason IS NOT NULL"
            " ELSE false END",
            name=op.f("ck_inbox_state"),
        ),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_inbox_pending",
        "inbox",
        ["agent", "id"],
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'pending'"),
    )


def _moment(name: str, default: sa.Function[datetime] | None = None) -> sa.Column[datetime]:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        nullable=False,
        server_default=sa.func.now() if default is None else default,
    )
