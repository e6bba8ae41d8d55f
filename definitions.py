"""What Dagster loads: this project's agents, compiled, with the resources that they work with."""

from pathlib import Path

from dagster import Definitions, definitions

from agentflow_dagster.operations import Project, project_definitions
from resources import resources_for


@definitions
def defs() -> Definitions:
    """Deployed versions and working files, as they are when Dagster asks."""
    project = Project.find(Path(__file__).parent)
    return project_definitions(resources_for(project.environment), project=project)
