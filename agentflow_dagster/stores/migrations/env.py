"""Alembic's entry: runs the migrations on the connection, and in the transaction, handed to it."""

from __future__ import annotations

from alembic import context

from agentflow_dagster.stores.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
)
with context.begin_transaction():
    context.run_migrations()
