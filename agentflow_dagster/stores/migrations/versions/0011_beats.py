"""When the engine last told that it lives."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

SCHEMA = "agentflow"


def upgrade() -> None:
    """Adds the column: an engine that is there has told it now."""
    op.add_column(
        "engine",
        sa.Column(
            "beat_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Drops it: an engine that hangs keeps its place."""
    op.drop_column("engine", "beat_at", schema=SCHEMA)
