"""Where the events of file, database and connector triggers come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource

if TYPE_CHECKING:
    from agentflow_dagster.ports.events import Sources


class SourcesResource(ConfigurableResource[Any]):
    """Files of the project's data folder, and whatever database or connector a trigger names."""

    def adapter(self) -> Sources:
        """The sources port."""
        from agentflow_dagster.operations import Project
        from agentflow_dagster.sources import ProjectSources

        return ProjectSources(Project.find(Path(__file__).parent).data)
