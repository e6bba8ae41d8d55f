"""What a code location of a project serves: deployed versions, or working files, or both."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.agents import named_files
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.operations.locations import files_location, place_of
from agentflow_dagster.operations.project import SERVE_VARIABLE, Project
from agentflow_dagster.operations.retention import project_retention
from agentflow_dagster.operations.stores import lasting_stores, project_stores
from agentflow_dagster.operations.storing import store_version
from agentflow_dagster.operations.testing import DocumentTests
from agentflow_dagster.orchestration.location import Definitions, Served, agent_definitions
from agentflow_dagster.orchestration.names import LOCATION, LOCATION_VARIABLE, location_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.orchestration.retention import Retention
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.ports.stores import Version, VersionHash, VersionStore
    from agentflow_dagster.spec.kind import Catalogue, KindConfig

_log = logging.getLogger(__name__)


def project_definitions(resources: Mapping[str, object], *, project: Project) -> Definitions:
    """The definitions of a project; call it inside a function decorated with
    `dagster.definitions`.

    An agent that is deployed is served as deployed, whatever its working file says by now; a
    working file that was never deployed is served as it stands, with its triggers off.
    """
    kinds = _kinds()
    place = _Places(project.environment, alone=not project.variables.get(LOCATION_VARIABLE))
    with ExitStack() as closing:
        stores = lasting_stores(project) or closing.enter_context(project_stores(project))
        return agent_definitions(
            lambda: served_now(project, stores.versions, kinds),
            stores.versions,
            kinds,
            resources,
            tester=DocumentTests(),
            others=lambda: others_now(project, stores.versions),
            place=place,
            retention=_retention(project),
        )


def _retention(project: Project) -> Retention | None:
    """Of the whole project, in the first code location; a version that runs alone needs none."""
    place = project.variables.get(LOCATION_VARIABLE) or LOCATION
    if project.variables.get(SERVE_VARIABLE) or place != LOCATION:
        return None
    try:
        return project_retention(project)
    except UsageError as problem:
        _log.error("Nothing is deleted: %s", problem)
        return None


@cache
def _kinds() -> Mapping[str, Kind[KindConfig]]:
    """The same ones however often Dagster asks, so that what was compiled with them holds."""
    return all_kinds()


@dataclass(frozen=True, slots=True)
class _Places:
    """Names the code location of an agent; None where there is one for all."""

    environment: str
    alone: bool

    def __call__(self, versions: VersionStore, agent: str) -> str | None:
        return None if self.alone else place_of(versions, self.environment, agent)


def served_now(project: Project, versions: VersionStore, kinds: Catalogue) -> list[Served]:
    """What to serve at this moment."""
    if only := project.variables.get(SERVE_VARIABLE):
        version = versions.get(cast("VersionHash", only))
        if version is None:
            raise UsageError(f"{SERVE_VARIABLE} names {only!r}, which is no stored version.")
        return [Served(version, deployed=False)]
    place = project.variables.get(LOCATION_VARIABLE)
    live = versions.live(project.environment)
    served = [
        Served(d.version, deployed=True)
        for d in live
        if not place or place == location_name(d.location)
    ]
    if place and place != files_location(versions, project.environment):
        return served
    taken = {d.version.agent.replace("-", "_") for d in live}
    for path in project.working_files():
        if any(file.name.replace("-", "_") in taken for file in named_files([path])):
            continue  # before it is checked, which takes longer
        checked = check_file(path, kinds, file=project.relative(path))
        if checked.plan is None:
            problems = "; ".join(str(d) for d in checked.diagnostics if d.severity == "error")
            _log.warning("%s is not served: %s", checked.file, problems)
            continue
        name = checked.plan.agent.name.replace("-", "_")
        if name not in taken:
            taken.add(name)
            served.append(Served(store_version(versions, checked), deployed=False))
    return served


def others_now(project: Project, versions: VersionStore) -> list[Version]:
    """What other code locations serve and working files may run by name.

    A deployed version names what it runs by digest, which is found wherever it is.
    """
    place = project.variables.get(LOCATION_VARIABLE)
    if not place or place != files_location(versions, project.environment):
        return []
    live = versions.live(project.environment)
    return [d.version for d in live if place != location_name(d.location)]
