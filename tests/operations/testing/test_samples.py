"""The sample agents pass their own tests, offline."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.testing import (
    DocumentTests,
    project_plans,
    project_services,
    select_tests,
)
from agentflow_dagster.operations.testing.telling import told_lines

PROJECT = Project.find(Path(__file__).parents[3], {})
CHOSEN = select_tests(PROJECT, all_kinds(), [])
# Great Expectations takes seconds to load, in a process of its own each time.
LONG = {"a_good_day", "what_is_far_from_the_rest"}


@pytest.mark.parametrize(
    ("index", "name"),
    [
        pytest.param(
            *(index, name),
            id=f"{selected.plan.agent.name}-{name}",
            marks=[pytest.mark.soak] if name in LONG else [],
        )
        for index, selected in enumerate(CHOSEN)
        for name in selected.tests
    ],
)
async def test_a_sample_passes(index: int, name: str) -> None:
    services = project_services(PROJECT, all_kinds())
    find = project_plans(PROJECT, all_kinds())
    report = await DocumentTests().run(CHOSEN[index].plan, name, services, find)
    assert report.passed, "\n".join(told_lines(report))
