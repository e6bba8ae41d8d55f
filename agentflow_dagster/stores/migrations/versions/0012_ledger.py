"""The account of calls to models, the budgets that they count in, and replies that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

revision = "0012"
down_revision = "0011"

SCHEMA = "agentflow"
_NAME = sa.String(255)
_SCOPE = sa.String(261)
_DIGEST = sa.String(64)
_FLOAT: sa.Float[float] = sa.Float()
_USD: sa.Numeric[Decimal] = sa.Numeric()
_TIME = sa.DateTime(timezone=True)
_ENDED = "".join(
    f" WHEN '{state}' THEN ended_at IS NOT NULL"
    for state in ("answered", "refused", "invalid", "lost", "kept")
)


def upgrade() -> None:
    """Adds the tables, empty."""
    _model_calls()
    _budgets()
    op.create_table(
        "model_memo",
        sa.Column("key", _NAME, primary_key=True),
        sa.Column("agent", _NAME, nullable=False),
        sa.Column("reply", sa.JSON, nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=sa.func.now()),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Drops them: what was spent is not known any more."""
    for table in ("model_memo", "budget_alerts", "budget_leases", "budgets", "model_calls"):
        op.drop_table(table, schema=SCHEMA)


def _model_calls() -> None:
    op.create_table(
        "model_calls",
        sa.Column("owner", _DIGEST, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("run_id", _NAME, nullable=False),
        sa.Column("parents", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("agent", _NAME, nullable=False),
        sa.Column("version", _DIGEST, nullable=False),
        sa.Column("node", _NAME, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("provider", _NAME, nullable=False),
        sa.Column("model", _NAME, nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("state", sa.String(16), nullable=False),
        *(
            sa.Column(f"tokens_{which}", sa.BigInteger, nullable=False, server_default="0")
            for which in ("in", "out", "cached", "reasoning")
        ),
        sa.Column("cost_usd", _USD),
        sa.Column("bound_usd", _USD),
        sa.Column("charged_usd", _USD, nullable=False),
        sa.Column("run_limit_usd", _USD),
        sa.Column("scopes", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("latency_ms", _FLOAT),
        sa.Column("first_token_ms", _FLOAT),
        sa.Column("counted", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("reason", sa.String(2000), nullable=False, server_default=""),
        sa.CheckConstraint(
            f"CASE state WHEN 'open' THEN ended_at IS NULL{_ENDED} ELSE false END",
            name=op.f("ck_model_calls_state"),
        ),
        schema=SCHEMA,
    )
    for column in ("run_id", "started_at"):
        op.create_index(f"ix_model_calls_{column}", "model_calls", [column], schema=SCHEMA)
    op.create_index(
        "ix_model_calls_parents",
        "model_calls",
        ["parents"],
        schema=SCHEMA,
        postgresql_using="gin",
        postgresql_where=sa.text("parents <> '{}'"),
    )
    is_open = sa.text("state = 'open'")
    op.create_index(
        "ix_model_calls_open", "model_calls", ["owner"], schema=SCHEMA, postgresql_where=is_open
    )


def _budgets() -> None:
    op.create_table(
        "budgets",
        *_of_a_month(),
        sa.Column("limit_usd", _USD, nullable=False),
        sa.Column("spent_usd", _USD, nullable=False, server_default="0"),
        sa.Column("leased_usd", _USD, nullable=False, server_default="0"),
        schema=SCHEMA,
    )
    op.create_table(
        "budget_leases",
        sa.Column("owner", _DIGEST, primary_key=True),
        *_of_a_month(),
        sa.Column("amount_usd", _USD, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        schema=SCHEMA,
    )
    op.create_index("ix_budget_leases_expires_at", "budget_leases", ["expires_at"], schema=SCHEMA)
    op.create_table(
        "budget_alerts",
        *_of_a_month(),
        sa.Column("percent", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("spent_usd", _USD, nullable=False),
        sa.Column("limit_usd", _USD, nullable=False),
        sa.Column("run_id", _NAME, nullable=False),
        sa.Column("told_at", _TIME, nullable=False, server_default=sa.func.now()),
        schema=SCHEMA,
    )


def _of_a_month() -> tuple[sa.Column[str], sa.Column[date]]:
    return (
        sa.Column("scope", _SCOPE, primary_key=True),
        sa.Column("month", sa.Date, primary_key=True),
    )
