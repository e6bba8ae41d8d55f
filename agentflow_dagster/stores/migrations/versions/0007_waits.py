"""What steps wait for: times, decisions, answers and calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

SCHEMA = "agentflow"


def upgrade() -> None:
    """Adds the table, empty."""
    now = sa.func.now()
    op.create_table(
        "waits",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("run_id", sa.String(255), nullable=False),
        sa.Column("agent", sa.String(255), nullable=False),
        sa.Column("path", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.JSON, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("people", sa.JSON, nullable=False),
        sa.Column("escalations", sa.JSON, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("due", sa.DateTime(timezone=True)),
        sa.Column("held", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("state", sa.String(16), nullable=False, server_default="open"),
        sa.Column("value", sa.JSON(none_as_null=True)),
        sa.Column("answered_by", sa.String(255)),
        sa.Column("note", sa.String(2000)),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("run_id", "path", "digest", name="uq_waits_run_id_path_digest"),
        sa.CheckConstraint(
            "CASE state WHEN 'open' THEN answered_at IS NULL"
            " WHEN 'answered' THEN answered_at IS NOT NULL"
            " WHEN 'taken' THEN answered_at IS NOT NULL"
            " WHEN 'closed' THEN true ELSE false END",
            name="state",
        ),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_waits_open", "waits", ["due"], schema=SCHEMA, postgresql_where=sa.text("state = 'open'")
    )
    op.create_index(
        "ix_waits_answered",
        "waits",
        ["id"],
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'answered'"),
    )


def downgrade() -> None:
    """Drops it: runs that wait stay suspended."""
    op.drop_table("waits", schema=SCHEMA)
