"""Who is about to start an event's run says so; a run is noted with its event as it is made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

SCHEMA = "agentflow"


def upgrade() -> None:
    """Adds the columns, nothing claimed yet; a pending event may have its run's id from now on."""
    op.add_column("inbox", sa.Column("claimed_by", sa.String(255)), schema=SCHEMA)
    until = sa.Column("claimed_until", sa.DateTime(timezone=True))
    op.add_column("inbox", until, schema=SCHEMA)
    _check("reason IS NULL")


def downgrade() -> None:
    """Drops them: an event whose run was made and not yet seen to start is as good as started."""
    op.execute(
        "UPDATE agentflow.inbox SET state = 'started'"
        " WHERE state = 'pending' AND run_id IS NOT NULL"
    )
    _check("run_id IS NULL AND reason IS NULL")
    op.drop_column("inbox", "claimed_until", schema=SCHEMA)
    op.drop_column("inbox", "claimed_by", schema=SCHEMA)


def _check(pending: str) -> None:
    op.drop_constraint(op.f("ck_inbox_state"), "inbox", schema=SCHEMA, type_="check")
    op.create_check_constraint(
        op.f("ck_inbox_state"),
        "inbox",
        f"CASE state WHEN 'pending' THEN {pending}"
        " WHEN 'started' THEN run_id IS NOT NULL AND reason IS NULL"
        " WHEN 'rejected' THEN run_id IS NULL AND reason IS NOT NULL"
        " ELSE false END",
        schema=SCHEMA,
    )
