"""A deployment may end: an agent is taken out of its environment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SCHEMA = "agentflow"


def upgrade() -> None:
    """Adds the column; everything deployed so far goes on."""
    column = sa.Column("ended", sa.Boolean, nullable=False, server_default=sa.text("false"))
    op.add_column("deployments", column, schema=SCHEMA)


def downgrade() -> None:
    """Drops the column, and with it the rows that only say that something ended."""
    op.execute("DELETE FROM agentflow.deployments WHERE ended")
    op.drop_column("deployments", "ended", schema=SCHEMA)
