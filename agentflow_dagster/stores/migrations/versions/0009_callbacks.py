"""What callers of a callback's URL show, as its sha256."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

SCHEMA = "agentflow"


def upgrade() -> None:
    """Adds the column; what is waited for now has none."""
    op.add_column("waits", sa.Column("token", sa.String(64)), schema=SCHEMA)
    op.create_unique_constraint("uq_waits_token", "waits", ["token"], schema=SCHEMA)


def downgrade() -> None:
    """Drops it: callbacks that are waited for cannot be answered."""
    op.drop_constraint("uq_waits_token", "waits", schema=SCHEMA)
    op.drop_column("waits", "token", schema=SCHEMA)
