"""Which code locations a project has, and which of them serves what.

One serves everything until the first is full; then each serves its deployed agents, and working
files have one of their own (docs/decisions/0010-code-locations.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError
from agentflow_dagster.orchestration.names import FILES_LOCATION, LOCATION, location_name
from agentflow_dagster.ports.stores import AGENTS_PER_LOCATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.ports.stores import VersionStore

ROOM_VARIABLE = "AGENTFLOW_AGENTS_PER_LOCATION"


def room(project: Project) -> int:
    """Most deployed agents in a code location.

    Raises:
        UsageError: the variable that says so is no number.
    """
    said = project.variables.get(ROOM_VARIABLE)
    if not said:
        return AGENTS_PER_LOCATION
    if not said.isdecimal() or int(said) == 0:
        raise UsageError(f"{ROOM_VARIABLE} is {said!r}, which is no number above 0.")
    return int(said)


def locations(versions: VersionStore, environment: str) -> list[str]:
    """The code locations that are needed now, by name."""
    agents = versions.locations(environment)
    deployed = [number for number, count in sorted(agents.items()) if count and number > 1]
    files = [FILES_LOCATION] if _several(agents) else []
    return [LOCATION, *map(location_name, deployed), *files]


def files_location(versions: VersionStore, environment: str) -> str:
    """The code location that serves working files.

    Once there was a second location it stays as it is, so that what is up need not change sides.
    """
    return FILES_LOCATION if _several(versions.locations(environment)) else LOCATION


def place_of(versions: VersionStore, environment: str, agent: str) -> str | None:
    """The code location of a deployed agent, by name; None where it is not live."""
    number = versions.location_of(environment, agent)
    return location_name(number) if number is not None else None


def _several(agents: Mapping[int, int]) -> bool:
    return max(agents, default=1) > 1
