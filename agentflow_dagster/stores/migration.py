"""Brings the schema of a database to what this release expects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from agentflow_dagster.errors import StoreError
from agentflow_dagster.stores.engine import transaction
from agentflow_dagster.stores.tables import SCHEMA

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

HEAD = "0012"
"""The newest migration, written down so that a database that is up to date costs no Alembic."""

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = int.from_bytes(b"agentflo")


def migrate(engine: Engine) -> bool:
    """Makes or upgrades the tables; returns whether there was anything to do.

    Any number of processes may call it at once: one does the work, in one transaction, the others
    wait for it.

    Raises:
        StoreError: the database is of a newer AgentFlow, or refused.
    """
    with transaction(engine) as connection:
        if _revision(connection) == HEAD:
            return False
    with transaction(engine) as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        if _revision(connection) == HEAD:
            return False
        _upgrade(connection)
        return True


def _revision(connection: Connection) -> str | None:
    # Not `to_regclass`: it may answer from a cache that is older than the lock we waited for.
    made = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = :s AND tablename = :t"
    if connection.scalar(sa.text(made), {"s": SCHEMA, "t": "alembic_version"}) is None:
        return None
    revisions = sa.table("alembic_version", sa.column("version_num", sa.String), schema=SCHEMA)
    return connection.scalar(sa.select(revisions.c.version_num))


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    if not sa.inspect(connection).has_schema(SCHEMA):
        connection.execute(sa.schema.CreateSchema(SCHEMA))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"The database is of another AgentFlow: {error}.",
            hint="Use the newest release that has worked with it, or a newer one.",
        ) from error
