r"""The tables of schema `agentflow`, as SQLAlchemy knows them; `migrations/` makes them.

JSON columns are `json`, not `jsonb`: it keeps the text, so the order of an author's keys, and takes
every string that Python has (`jsonb` refuses `\u0000`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)

if TYPE_CHECKING:
    from decimal import Decimal

SCHEMA = "agentflow"

# Bounds in characters. All but a key's are names, which stay within a page of an index together.
NAME = 255
KEY = 500
REASON = 2000
DIGEST = 64
MILLISECONDS: Float[float] = Float()
USD: Numeric[Decimal] = Numeric()
"""Any number of digits: what calls cost is added up as it is."""

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    },
)

versions = Table(
    "versions",
    metadata,
    Column("hash", String(DIGEST), primary_key=True),
    Column("agent", String(NAME), nullable=False),
    Column("number", Integer),
    Column("document", JSON, nullable=False),
    Column("source", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("agent", "number"),
)

# Append-only: what is live is the newest row of an agent in an environment, unless it says that
# this ended it.
deployments = Table(
    "deployments",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("environment", String(NAME), nullable=False),
    Column("agent", String(NAME), nullable=False),
    Column("version_hash", String(DIGEST), ForeignKey(versions.c.hash), nullable=False),
    Column(
        "deployed_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    Column("ended", Boolean, nullable=False, server_default=text("false")),
    Column("location", Integer, nullable=False, server_default=text("1")),
    Index(None, "environment", "agent", "id"),
)

generations = Table(
    "generations",
    metadata,
    Column("id", String(DIGEST), primary_key=True),
    Column("members", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

step_outputs = Table(
    "step_outputs",
    metadata,
    Column("run_id", String(NAME), primary_key=True),
    Column("node", String(NAME), primary_key=True),
    Column("port", String(NAME), nullable=False),
    Column("body", JSON),
    Column("body_artifact", String(DIGEST)),
    Column("facts", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("num_nonnulls(body, body_artifact) = 1", name="one_place"),
    Index(
        "ix_step_outputs_body_artifact",
        "body_artifact",
        postgresql_where=text("body_artifact IS NOT NULL"),
    ),
)

step_parts = Table(
    "step_parts",
    metadata,
    Column("run_id", String(NAME), primary_key=True),
    Column("node", String(NAME), primary_key=True),
    Column("part", String(NAME), primary_key=True),
    Column("media_type", String(NAME), nullable=False),
    Column("summary", JSON, nullable=False),
    Column("data", LargeBinary),
    Column("artifact", String(DIGEST)),
    ForeignKeyConstraint(
        ["run_id", "node"],
        [step_outputs.c.run_id, step_outputs.c.node],
        ondelete="CASCADE",
    ),
    CheckConstraint("num_nonnulls(data, artifact) = 1", name="one_place"),
    Index("ix_step_parts_artifact", "artifact", postgresql_where=text("artifact IS NOT NULL")),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("agent", String(NAME), nullable=False),
    Column("trigger", String(NAME), nullable=False),
    Column("event", JSON, nullable=False),
    Column("idempotency_key", String(KEY)),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("state", String(16), nullable=False, server_default="pending"),
    Column("run_id", String(NAME)),
    Column("reason", String(REASON)),
    Column("claimed_by", String(NAME)),
    Column("claimed_until", DateTime(timezone=True)),
    UniqueConstraint("agent", "trigger", "idempotency_key"),
    CheckConstraint(
        "CASE state WHEN 'pending' THEN reason IS NULL"
        " WHEN 'started' THEN run_id IS NOT NULL AND reason IS NULL"
        " WHEN 'rejected' THEN run_id IS NULL AND reason IS NOT NULL"
        " WHEN 'dropped' THEN run_id IS NULL AND reason IS NOT NULL"
        " ELSE false END",
        name="state",
    ),
    Index("ix_inbox_rejected", "id", postgresql_where=text("state = 'rejected'")),
    Index("ix_inbox_pending", "agent", "id", postgresql_where=text("state = 'pending'")),
)

cursors = Table(
    "cursors",
    metadata,
    Column("agent", String(NAME), primary_key=True),
    Column("trigger", String(NAME), primary_key=True),
    Column("reading", String(DIGEST), nullable=False),
    Column("cursor", JSON(none_as_null=True)),
    Column("revision", BigInteger, nullable=False),
    Column("polled_at", DateTime(timezone=True), nullable=False),
)

# One row: whose process is the engine, or was the last to be it.
engine = Table(
    "engine",
    metadata,
    Column("place", Integer, primary_key=True),
    Column("holder", String(NAME), nullable=False),
    Column("beat_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# Runs that the engine has begun and not brought to their end.
engine_runs = Table(
    "engine_runs",
    metadata,
    Column("run_id", String(NAME), primary_key=True),
    Column("begun_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# What steps wait for. `token` is the sha256 of what a caller shows at a callback's URL. An answered
# wait is taken once the run has gone on with the answer; `held` ones are waited for by a process of
# the run itself.
waits = Table(
    "waits",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("run_id", String(NAME), nullable=False),
    Column("agent", String(NAME), nullable=False),
    Column("path", String(NAME), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("subject", JSON, nullable=False),
    Column("digest", String(DIGEST), nullable=False),
    Column("people", JSON, nullable=False),
    Column("escalations", JSON, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("due", DateTime(timezone=True)),
    Column("token", String(DIGEST), unique=True),
    Column("held", Boolean, nullable=False, server_default=text("false")),
    Column("state", String(16), nullable=False, server_default="open"),
    Column("value", JSON(none_as_null=True)),
    Column("answered_by", String(NAME)),
    Column("note", String(REASON)),
    Column("answered_at", DateTime(timezone=True)),
    UniqueConstraint("run_id", "path", "digest"),
    CheckConstraint(
        "CASE state WHEN 'open' THEN answered_at IS NULL"
        " WHEN 'answered' THEN answered_at IS NOT NULL"
        " WHEN 'taken' THEN answered_at IS NOT NULL"
        " WHEN 'closed' THEN true ELSE false END",
        name="state",
    ),
    Index("ix_waits_open", "due", postgresql_where=text("state = 'open'")),
    Index("ix_waits_answered", "id", postgresql_where=text("state = 'answered'")),
)

# Runs that failed, and what is owed for them. The run that was made for one is noted in `made`.
failures = Table(
    "failures",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("run_id", String(NAME), nullable=False),
    Column("failed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("state", String(16), nullable=False, server_default="new"),
    Column("agent", String(NAME), nullable=False, server_default=""),
    Column("trigger", String(NAME), nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("error", String(REASON), nullable=False, server_default=""),
    Column("input", String(200), nullable=False, server_default=""),
    Column("again", String(8), nullable=False, server_default="rest"),
    Column("due", DateTime(timezone=True)),
    Column("made", String(NAME)),
    UniqueConstraint("run_id"),
    CheckConstraint(
        "CASE state WHEN 'new' THEN made IS NULL"
        " WHEN 'waiting' THEN due IS NOT NULL"
        " WHEN 'started' THEN made IS NOT NULL"
        " WHEN 'dead' THEN made IS NULL"
        " WHEN 'dropped' THEN made IS NULL ELSE false END",
        name="state",
    ),
    Index("ix_failures_new", "id", postgresql_where=text("state = 'new'")),
    Index("ix_failures_due", "due", postgresql_where=text("state = 'waiting'")),
    Index("ix_failures_dead", "failed_at", postgresql_where=text("state = 'dead'")),
)

# A row for each call to a model: the owner is the ledger of one process, which numbers its calls.
# `scopes` are the budgets of a month that the call counts in, with `charged_usd`: its bound while
# it is open.
model_calls = Table(
    "model_calls",
    metadata,
    Column("owner", String(DIGEST), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("run_id", String(NAME), nullable=False),
    Column("parents", ARRAY(Text), nullable=False),
    Column("agent", String(NAME), nullable=False),
    Column("version", String(DIGEST), nullable=False),
    Column("node", String(NAME), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("provider", String(NAME), nullable=False),
    Column("model", String(NAME), nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("state", String(16), nullable=False),
    Column("tokens_in", BigInteger, nullable=False, server_default=text("0")),
    Column("tokens_out", BigInteger, nullable=False, server_default=text("0")),
    Column("tokens_cached", BigInteger, nullable=False, server_default=text("0")),
    Column("tokens_reasoning", BigInteger, nullable=False, server_default=text("0")),
    Column("cost_usd", USD),
    Column("bound_usd", USD),
    Column("charged_usd", USD, nullable=False),
    Column("run_limit_usd", USD),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("month", Date, nullable=False),
    Column("latency_ms", MILLISECONDS),
    Column("first_token_ms", MILLISECONDS),
    Column("counted", Boolean, nullable=False, server_default=text("false")),
    Column("reason", String(REASON), nullable=False, server_default=""),
    CheckConstraint(
        "CASE state WHEN 'open' THEN ended_at IS NULL"
        " WHEN 'answered' THEN ended_at IS NOT NULL"
        " WHEN 'refused' THEN ended_at IS NOT NULL"
        " WHEN 'invalid' THEN ended_at IS NOT NULL"
        " WHEN 'lost' THEN ended_at IS NOT NULL"
        " WHEN 'kept' THEN ended_at IS NOT NULL ELSE false END",
        name="state",
    ),
    Index("ix_model_calls_run_id", "run_id"),
    Index("ix_model_calls_started_at", "started_at"),
    Index(
        "ix_model_calls_parents",
        "parents",
        postgresql_using="gin",
        postgresql_where=text("parents <> '{}'"),
    ),
    Index("ix_model_calls_open", "owner", postgresql_where=text("state = 'open'")),
)

# What is spent of a month's budget, and what processes have leased of it, each in its own lease.
budgets = Table(
    "budgets",
    metadata,
    Column("scope", String(NAME + 6), primary_key=True),
    Column("month", Date, primary_key=True),
    Column("limit_usd", USD, nullable=False),
    Column("spent_usd", USD, nullable=False, server_default=text("0")),
    Column("leased_usd", USD, nullable=False, server_default=text("0")),
)

budget_leases = Table(
    "budget_leases",
    metadata,
    Column("owner", String(DIGEST), primary_key=True),
    Column("scope", String(NAME + 6), primary_key=True),
    Column("month", Date, primary_key=True),
    Column("amount_usd", USD, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
)

budget_alerts = Table(
    "budget_alerts",
    metadata,
    Column("scope", String(NAME + 6), primary_key=True),
    Column("month", Date, primary_key=True),
    Column("percent", Integer, primary_key=True),
    Column("spent_usd", USD, nullable=False),
    Column("limit_usd", USD, nullable=False),
    Column("run_id", String(NAME), nullable=False),
    Column("told_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# Replies of models that are given again to the same question.
model_memo = Table(
    "model_memo",
    metadata,
    Column("key", String(NAME), primary_key=True),
    Column("agent", String(NAME), nullable=False),
    Column("reply", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
