"""Connections to the database, and what its errors mean."""

from __future__ import annotations

import os
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError, StatementError

from agentflow_dagster.errors import StoreError
from agentflow_dagster.stores.encoding import dump

if TYPE_CHECKING:
    from collections.abc import Generator

_DRIVERS = ("postgresql+psycopg2", "postgresql", "postgres")
_STATEMENT = "\nLINE "  # opens PostgreSQL's excerpt of the statement
_UNDEFINED = {"42P01", "3F000"}  # table, schema


def create_engine(url: str, *, pool_size: int = 5, max_overflow: int = 15) -> sa.Engine:
    """An engine whose connections are pooled, tried before use, and never shared with a fork.

    Args:
        url: `postgresql+psycopg2://…`; see `database_url`.
        pool_size: Connections that stay open.
        max_overflow: More that may be open for a moment.

    Raises:
        StoreError: this is not a URL of PostgreSQL.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.drivername not in _DRIVERS:
            raise ArgumentError
    except (ArgumentError, ValueError):
        # Neither the URL nor the cause is shown: what was read as a port may be of the password.
        raise StoreError(
            "The database URL cannot be read.",
            hint="It has the form postgresql://user:password@host:5432/name; "
            "signs such as @ : / in the password are written %40 %3A %2F.",
        ) from None
    engine = sa.create_engine(
        parsed.set(drivername=_DRIVERS[0]),
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_pre_ping=True,
        hide_parameters=True,
        json_serializer=dump,
        connect_args={"application_name": "agentflow", "connect_timeout": 10},
    )
    _keep_apart_after_fork(engine)
    return engine


@contextmanager
def transaction(engine: sa.Engine) -> Generator[sa.Connection]:
    """One transaction: committed at the end of the block, rolled back if it raises.

    Raises:
        StoreError: the database refused or cannot be reached. It never shows the password.
    """
    with _told(engine), engine.begin() as connection:
        yield connection


@contextmanager
def single(engine: sa.Engine) -> Generator[sa.Connection]:
    """For one statement, which is a transaction of its own: PostgreSQL is asked once, and not to
    begin and to commit besides.

    Raises:
        StoreError: the database refused or cannot be reached. It never shows the password.
    """
    with _told(engine), engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.autocommit = True
        try:
            yield connection
        finally:
            if not driver.closed:
                driver.autocommit = False


@contextmanager
def _told(engine: sa.Engine) -> Generator[None]:
    try:
        yield
    except (SQLAlchemyError, ValueError) as error:
        raise _store_error(error, engine.url) from (None if _tells(error, engine.url) else error)


def _store_error(error: Exception, url: sa.URL) -> StoreError:
    where = sa.URL.create("postgresql", url.username, None, url.host, url.port, url.database)
    cause = error.orig if isinstance(error, StatementError) else error
    code = getattr(cause, "pgcode", None)
    reason = str(cause).strip().partition(_STATEMENT)[0]
    for secret in _secrets(url):
        reason = reason.replace(secret, "***")
    if isinstance(error, DBAPIError) and code is None:
        return StoreError(
            f"The database {str(where)!r} cannot be used: {reason}.",
            hint="Is PostgreSQL running there, and is AGENTFLOW_DATABASE_URL right?",
        )
    if code in _UNDEFINED:
        return StoreError(
            f"The database {str(where)!r} does not have the tables of this AgentFlow: {reason}.",
            hint="`agentflow up` makes them, as does `open_stores`.",
        )
    return StoreError(f"The database {str(where)!r} refused: {reason}.")


def _tells(error: Exception, url: sa.URL) -> bool:
    """Whether the text of the error has a password, or values that stood in the statement."""
    text = str(error)
    return _STATEMENT in text or any(secret in text for secret in _secrets(url))


def _secrets(url: sa.URL) -> list[str]:
    return [str(each) for each in (url.password, url.query.get("password")) if each]


def _keep_apart_after_fork(engine: sa.Engine) -> None:
    """Gives a forked child a pool of its own; two processes on one connection garble each other."""
    reference = weakref.ref(engine)

    def forget_parents_connections() -> None:
        inherited = reference()
        if inherited is not None:
            inherited.dispose(close=False)

    os.register_at_fork(after_in_child=forget_parents_connections)
