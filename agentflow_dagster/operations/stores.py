"""The stores of a project."""

from __future__ import annotations

import re
from contextlib import contextmanager
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError
from agentflow_dagster.stores import database_url, open_stores
from agentflow_dagster.stores.database_url import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.stores import Stores

MONTHLY_VARIABLE = "AGENTFLOW_MONTHLY_USD"
_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,9})?")


@contextmanager
def project_stores(project: Project) -> Generator[Stores]:
    """The project's stores, for as long as the block lasts; starts its database where needed."""
    limit = workspace_monthly_usd(project)
    with (
        database_url(project.make_home(), project.variables) as url,
        open_stores(url, project.artifacts, workspace_monthly_usd=limit) as stores,
    ):
        yield stores


def lasting_stores(project: Project) -> Stores | None:
    """The project's stores, open as long as this process; None where the database is the embedded
    one and nobody else keeps it up, since it ends with the last who uses it."""
    if not project.variables.get(VARIABLE, "").strip():
        return None
    with database_url(project.make_home(), project.variables) as url:
        return _kept_open(url, project.artifacts, workspace_monthly_usd(project))


def workspace_monthly_usd(project: Project) -> Decimal | None:
    """What all agents of a project together may spend on models in a month; None has no limit.

    Raises:
        UsageError: the variable that says so is no amount.
    """
    said = project.variables.get(MONTHLY_VARIABLE, "").strip()
    if not said:
        return None
    if not (said.isascii() and _AMOUNT.fullmatch(said)):
        raise UsageError(
            f"{MONTHLY_VARIABLE} is {said!r}.", hint="Say an amount in USD: 250, or 99.50."
        )
    return Decimal(said)


@lru_cache(maxsize=1)
def _kept_open(url: str, artifacts: Path, monthly_usd: Decimal | None) -> Stores:
    return open_stores(url, artifacts, workspace_monthly_usd=monthly_usd)
