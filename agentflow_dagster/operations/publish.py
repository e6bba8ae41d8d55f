"""Has a running platform serve what is live now."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from agentflow_dagster.errors import RunError
from agentflow_dagster.operations.deploy import deploy_files
from agentflow_dagster.operations.locations import files_location
from agentflow_dagster.operations.stores import project_stores
from agentflow_dagster.orchestration.names import location_name
from agentflow_dagster.spec.parse import parse_agent
from agentflow_dagster.stores import database_url

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agentflow_dagster.operations.deploy import Deployed
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.orchestration.client import DagsterClient
    from agentflow_dagster.ports.stores import Deployment
    from agentflow_dagster.spec.kind import Catalogue

_NEW_LOCATION_SECONDS = 120.0
_POLL_SECONDS = 0.1


def deploy_and_publish(
    project: Project, kinds: Catalogue, paths: Sequence[Path]
) -> tuple[list[Deployed], bool]:
    """Deploys files, all or none, and has a running platform serve them.

    Returns:
        What deploying each file did, and whether a platform loaded anything anew.

    Raises:
        UsageError: a file is missing, or two say the same name.
        DocumentError: a file has errors.
        RunError: a code location cannot be loaded any more.
    """
    with project_stores(project) as stores:
        done = deploy_files(project, stores.versions, kinds, paths)
    changed = [one.deployment for one in done if one.changed]
    served = bool(changed) and publish(
        project,
        changed,
        new_limits=[one.deployment for one in done if one.changed and one.new_limit],
        came_or_went=any(one.new for one in done),
    )
    return done, served


def publish(
    project: Project,
    changed: Sequence[Deployment],
    *,
    new_limits: Sequence[Deployment] = (),
    came_or_went: bool = False,
) -> bool:
    """Has a running platform load the code locations of what changed; False where none is up.

    Args:
        project: Whose agents they are.
        changed: What was deployed or taken out.
        new_limits: Those of them that may have more or fewer runs at a time than before.
        came_or_went: Whether one of them was not live before, or is not any more: working files
            have it or lose it.

    Raises:
        RunError: a code location cannot be loaded any more.
    """
    from agentflow_dagster.operations.announcement import found_running

    running = found_running(project)
    if running is None:
        return False
    import httpx

    from agentflow_dagster.orchestration.client import DagsterClient

    wanted = [location_name(one.location) for one in changed]
    if came_or_went:
        with project_stores(project) as stores:
            wanted.append(files_location(stores.versions, project.environment))
    with httpx.Client(timeout=120) as http, ThreadPoolExecutor(1) as aside:
        loading = aside.submit(load, DagsterClient(running["dagster"], http), wanted)
        if new_limits:
            apply_limits(project, new_limits)  # meanwhile: it imports Dagster, for a good second
        loading.result()
    return True


def load(client: DagsterClient, wanted: Sequence[str]) -> None:
    """Has Dagster load code locations again; those that the platform has yet to start, once they
    are there.

    Raises:
        RunError: one cannot be loaded, or is not there after two minutes.
    """
    known = client.locations()
    names = dict.fromkeys(wanted)
    for name in names:
        if name in known:
            client.reload(name)
    deadline = time.monotonic() + _NEW_LOCATION_SECONDS
    while missing := names.keys() - client.locations().keys():
        if time.monotonic() > deadline:
            raise RunError(
                f"Dagster has no code location {', '.join(sorted(missing))}.",
                hint="Stop the project with `agentflow down` and start it again.",
            )
        time.sleep(_POLL_SECONDS)
    for name in names:
        if name not in known:
            client.reload(name)  # it may have read what is live before this was


def apply_limits(project: Project, changed: Sequence[Deployment] | None = None) -> None:
    """Makes `maxConcurrentExecutions` hold in Dagster's queue.

    Args:
        project: Whose agents they are.
        changed: What was deployed; None for every live agent.
    """
    from agentflow_dagster.orchestration.instance import set_limits, write_instance

    if changed is None:
        with project_stores(project) as stores:
            changed = stores.versions.live(project.environment)
    agents = [parse_agent(one.version.document) for one in changed]
    limits = {
        agent.name: agent.spec.config.max_concurrent_executions
        for agent in agents
        if not isinstance(agent, tuple)
    }
    with database_url(project.home, project.variables) as url:
        set_limits(write_instance(project.home, queued=True), url, limits)
