"""The stores of a project."""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from agentflow_dagster.stores import database_url, open_stores
from agentflow_dagster.stores.database_url import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.stores import Stores


@contextmanager
def project_stores(project: Project) -> Generator[Stores]:
    """The project's stores, for as long as the block lasts; starts its database where needed."""
    with (
        database_url(project.make_home(), project.variables) as url,
        open_stores(url, project.artifacts) as stores,
    ):
        yield stores


def lasting_stores(project: Project) -> Stores | None:
    """The project's stores, open as long as this process; None where the database is the embedded
    one and nobody else keeps it up, since it ends with the last who uses it."""
    if not project.variables.get(VARIABLE, "").strip():
        return None
    with database_url(project.make_home(), project.variables) as url:
        return _kept_open(url, project.artifacts)


@lru_cache(maxsize=1)
def _kept_open(url: str, artifacts: Path) -> Stores:
    return open_stores(url, artifacts)
