"""The stores of a project."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from agentflow_dagster.stores import database_url, open_stores

if TYPE_CHECKING:
    from collections.abc import Generator

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
