"""What a person can ask of a project, one verb per file: check, deploy, run, up and others.

The CLI, the gateway and Jupyter are thin edges over these; a project's `definitions.py` and
`resources/` use what is exported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.operations.project import Project

if TYPE_CHECKING:
    from agentflow_dagster.operations.serve import project_definitions

__all__ = ["Project", "project_definitions"]


def __getattr__(name: str) -> object:
    """Loads what needs Dagster only when it is asked for."""
    if name == "project_definitions":
        from agentflow_dagster.operations.serve import project_definitions

        return project_definitions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
