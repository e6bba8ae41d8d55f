"""Finds which output names an artifact: files that none names are deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

SCHEMA = "agentflow"
_NAMING = (
    ("ix_step_outputs_body_artifact", "step_outputs", "body_artifact"),
    ("ix_step_parts_artifact", "step_parts", "artifact"),
)


def upgrade() -> None:
    """Adds indexes of those that name one."""
    for name, table, column in _NAMING:
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, table, [column], schema=SCHEMA, postgresql_where=where)


def downgrade() -> None:
    """Drops them."""
    for name, table, _ in _NAMING:
        op.drop_index(name, table_name=table, schema=SCHEMA)
