"""What is owed for runs that failed; events that nobody wants a run of any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

SCHEMA = "agentflow"
_STATES = (
    "CASE state WHEN 'pending' THEN reason IS NULL"
    " WHEN 'started' THEN run_id IS NOT NULL AND reason IS NULL"
    " WHEN 'rejected' THEN run_id IS NULL AND reason IS NOT NULL"
)


def upgrade() -> None:
    """Adds the table, empty, and the state `dropped`."""
    now = sa.func.now()
    op.create_table(
        "failures",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("run_id", sa.String(255), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("state", sa.String(16), nullable=False, server_default="new"),
        sa.Column("agent", sa.String(255), nullable=False, server_default=""),
        sa.Column("trigger", sa.String(255), nullable=False, server_default=""),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.String(2000), nullable=False, server_default=""),
        sa.Column("input", sa.String(200), nullable=False, server_default=""),
        sa.Column("again", sa.String(8), nullable=False, server_default="rest"),
        sa.Column("due", sa.DateTime(timezone=True)),
        sa.Column("made", sa.String(255)),
        sa.UniqueConstraint("run_id", name="uq_failures_run_id"),
        sa.CheckConstraint(
            "CASE state WHEN 'new' THEN made IS NULL"
            " WHEN 'waiting' THEN due IS NOT NULL"
            " WHEN 'started' THEN made IS NOT NULL"
            " WHEN 'dead' THEN made IS NULL"
            " WHEN 'dropped' THEN made IS NULL ELSE false END",
            name="state",
        ),
        schema=SCHEMA,
    )
    for name, column, state in _INDEXES:
        where = sa.text(f"state = '{state}'")
        op.create_index(name, "failures", [column], schema=SCHEMA, postgresql_where=where)
    rejected = sa.text("state = 'rejected'")
    op.create_index("ix_inbox_rejected", "inbox", ["id"], schema=SCHEMA, postgresql_where=rejected)
    _check(f"{_STATES} WHEN 'dropped' THEN run_id IS NULL AND reason IS NOT NULL ELSE false END")


def downgrade() -> None:
    """Drops them: nothing more is owed, and what was dropped is rejected."""
    op.execute("UPDATE agentflow.inbox SET state = 'rejected' WHERE state = 'dropped'")
    _check(f"{_STATES} ELSE false END")
    op.drop_index("ix_inbox_rejected", table_name="inbox", schema=SCHEMA)
    op.drop_table("failures", schema=SCHEMA)


_INDEXES = (
    ("ix_failures_new", "id", "new"),
    ("ix_failures_due", "due", "waiting"),
    ("ix_failures_dead", "failed_at", "dead"),
)


def _check(states: str) -> None:
    op.drop_constraint(op.f("ck_inbox_state"), "inbox", schema=SCHEMA, type_="check")
    op.create_check_constraint(op.f("ck_inbox_state"), "inbox", states, schema=SCHEMA)
