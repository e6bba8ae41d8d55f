"""How far the sources of triggers were read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SCHEMA = "agentflow"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "cursors",
        sa.Column("agent", sa.String(255), nullable=False),
        sa.Column("trigger", sa.String(255), nullable=False),
        sa.Column("reading", sa.String(64), nullable=False),
        sa.Column("cursor", sa.JSON),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agent", "trigger", name="pk_cursors"),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Drops the table: every source is read from its beginning again."""
    op.drop_table("cursors", schema=SCHEMA)
