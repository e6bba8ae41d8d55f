"""The newest runs of a project, whether or not it is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.stores import database_url

if TYPE_CHECKING:
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.orchestration.instance import ListedRun


def list_runs(project: Project, agent: str | None, *, limit: int) -> list[ListedRun]:
    """The newest runs, of all agents or of one (named with `-` or `_`)."""
    from agentflow_dagster.orchestration.instance import newest_runs, write_instance

    folder = write_instance(project.make_home(), queued=True)
    with database_url(project.home, project.variables) as url:
        return newest_runs(folder, url, agent, limit=limit)
