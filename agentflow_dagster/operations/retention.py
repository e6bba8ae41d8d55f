"""How long a project keeps its runs, and what deletes the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.stores import project_stores
from agentflow_dagster.orchestration.instance import (
    compute_logs,
    prepare_instance,
    write_instance,
)
from agentflow_dagster.orchestration.retention import Retention
from agentflow_dagster.stores import database_url

if TYPE_CHECKING:
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.orchestration.retention import Cleared

DAYS_VARIABLE = "AGENTFLOW_RETENTION_DAYS"
_DAYS = 90
_MOST_DAYS = 3_650
_FOR_EVER = "never"


def kept_days(project: Project) -> int | None:
    """Days that runs are kept whose agent does not say; None is for ever.

    Raises:
        UsageError: the variable that says so is neither a number of days nor `never`.
    """
    said = project.variables.get(DAYS_VARIABLE, "").strip()
    if not said:
        return _DAYS
    if said == _FOR_EVER:
        return None
    if not (said.isascii() and said.isdecimal() and 1 <= int(said) <= _MOST_DAYS):
        raise UsageError(
            f"{DAYS_VARIABLE} is {said!r}.",
            hint=f"Say 1 to {_MOST_DAYS:,} days, or {_FOR_EVER!r}: nothing is deleted then.",
        )
    return int(said)


def project_retention(project: Project) -> Retention:
    """What deletes in a project; it opens the database when it does.

    Raises:
        UsageError: the project's age cannot be read.
    """
    return Retention(
        database=lambda: database_url(project.make_home(), project.variables),
        artifacts=project.artifacts,
        logs=compute_logs(project.home),
        days=kept_days(project),
    )


def clear_project(project: Project, *, dry: bool) -> Cleared:
    """Deletes what is past its age, all of it; with `dry` it is only counted.

    Raises:
        UsageError: the project's age cannot be read.
    """
    retention = project_retention(project)
    with retention.database() as url, project_stores(project):
        prepare_instance(write_instance(project.make_home(), queued=True), url)
        return retention.clear(dry=dry)
