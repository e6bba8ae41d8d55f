"""Runs the tests that documents bring along: in this process, with neither Dagster nor database."""

from agentflow_dagster.operations.testing.agents import MemoryAgents
from agentflow_dagster.operations.testing.running import DocumentTests
from agentflow_dagster.operations.testing.selection import (
    Selected,
    project_plans,
    project_services,
    select_tests,
)

__all__ = [
    "DocumentTests",
    "MemoryAgents",
    "Selected",
    "project_plans",
    "project_services",
    "select_tests",
]
