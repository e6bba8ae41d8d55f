"""How long a project keeps its runs, and where the schedule is that deletes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.retention import DAYS_VARIABLE, kept_days
from agentflow_dagster.operations.serve import project_definitions
from agentflow_dagster.orchestration.names import LOCATION, LOCATION_VARIABLE
from agentflow_dagster.stores.database_url import VARIABLE
from tests.orchestration.bench import loading

if TYPE_CHECKING:
    from pathlib import Path

SCHEDULE = "agentflow_retention__hourly"


def project(folder: Path, **variables: str) -> Project:
    return Project(folder, folder / ".agentflow", variables=variables)


@pytest.mark.parametrize(
    ("said", "days"), [("", 90), (" ", 90), ("1", 1), ("3650", 3650), ("never", None)]
)
def test_days_that_are_said(tmp_path: Path, said: str, days: int | None) -> None:
    assert kept_days(project(tmp_path, **{DAYS_VARIABLE: said})) == days


@pytest.mark.parametrize("said", ["0", "-1", "3651", "90d", "٩", "1.5", "for ever"])
def test_what_is_no_age(tmp_path: Path, said: str) -> None:
    with pytest.raises(UsageError, match=DAYS_VARIABLE):
        kept_days(project(tmp_path, **{DAYS_VARIABLE: said}))


def schedules(folder: Path, **variables: str) -> list[str]:
    """Those of a code location of a project without agents."""
    with loading():
        made = project_definitions({}, project=project(folder, **variables))
    return [schedule.name for schedule in made.schedules or ()]


def test_one_schedule_for_a_project(database_url: str, tmp_path: Path) -> None:
    at = {VARIABLE: database_url}
    assert schedules(tmp_path, **at) == [SCHEDULE]
    assert schedules(tmp_path, **at, **{LOCATION_VARIABLE: LOCATION}) == [SCHEDULE]
    assert schedules(tmp_path, **at, **{LOCATION_VARIABLE: f"{LOCATION}-2"}) == []


def test_agents_are_served_where_the_age_is_wrong(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert schedules(tmp_path, **{VARIABLE: database_url, DAYS_VARIABLE: "soon"}) == []
    assert "Nothing is deleted" in caplog.text
