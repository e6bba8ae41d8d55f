"""Each deployed agent has a code location of its environment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SCHEMA = "agentflow"


def upgrade() -> None:
    """Adds the column; everything deployed so far stays in the first."""
    column = sa.Column("location", sa.Integer, nullable=False, server_default=sa.text("1"))
    op.add_column("deployments", column, schema=SCHEMA)


def downgrade() -> None:
    """Drops the column: one code location serves all."""
    op.drop_column("deployments", "location", schema=SCHEMA)
