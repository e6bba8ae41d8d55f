"""Which database to use: the one that is named, or an embedded one."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

VARIABLE = "AGENTFLOW_DATABASE_URL"


@contextmanager
def database_url(home: Path, environment: Mapping[str, str]) -> Generator[str]:
    """Gives the URL of the database, for as long as the block lasts.

    `AGENTFLOW_DATABASE_URL` names one. Otherwise it is the embedded server of `<home>/postgres`,
    used if it runs, started if not, and stopped when the last process that is in such a block
    leaves it or ends. A program that starts others hands them the URL in that variable.

    Args:
        home: The project's folder for what AgentFlow keeps.
        environment: Environment variables.

    Raises:
        UsageError: the variable does not hold a URL of PostgreSQL.
        StoreError: the embedded server cannot be started.
    """
    named = environment.get(VARIABLE, "").strip()
    if named:
        yield _for_psycopg2(named)
        return
    from agentflow_dagster.stores.embedded import EmbeddedPostgres

    with EmbeddedPostgres(home / "postgres") as server:
        yield server.url


def _for_psycopg2(url: str) -> str:
    scheme = re.match(r"postgres(ql)?(\+psycopg2)?://", url)
    if not scheme:
        # The value is not shown: it may have a password.
        raise UsageError(
            f"{VARIABLE} does not hold the URL of a PostgreSQL database.",
            hint="It has the form postgresql://user:password@host:5432/name.",
        )
    return f"postgresql+psycopg2://{url[scheme.end() :]}"
