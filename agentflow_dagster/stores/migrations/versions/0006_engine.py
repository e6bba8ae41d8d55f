"""The engine: who holds the place, and which runs it owes an end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SCHEMA = "agentflow"


def upgrade() -> None:
    """Adds the tables, empty."""
    op.create_table(
        "engine",
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("holder", sa.String(255), nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "engine_runs",
        sa.Column("run_id", sa.String(255), primary_key=True),
        sa.Column(
            "begun_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Drops them: runs that the engine had begun stay as they are."""
    op.drop_table("engine_runs", schema=SCHEMA)
    op.drop_table("engine", schema=SCHEMA)
