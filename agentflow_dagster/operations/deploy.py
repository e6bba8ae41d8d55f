"""Deploys agents: stores each as an immutable version and makes it live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.spec.parse import parse_agent
from agentflow_dagster.stores import database_url, open_stores

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agentflow_dagster.operations.check import CheckedFile
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.ports.stores import Deployment, Version, VersionStore
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.kind import Catalogue


@dataclass(frozen=True, slots=True)
class Deployed:
    """What deploying one file did; `changed` is False where that very version was live already."""

    deployment: Deployment
    changed: bool


def deploy_files(
    project: Project, versions: VersionStore, kinds: Catalogue, paths: Sequence[Path]
) -> list[Deployed]:
    """Checks every file first, and deploys all or none.

    Raises:
        DocumentError: a file has errors.
        UsageError: a file is missing, or two say the same name.
    """
    checked = [check_file(path, kinds, file=project.relative(path)) for path in paths]
    names: dict[str, str] = {}
    for one in checked:
        name = one.require().agent.name.replace("-", "_")
        if name in names:
            raise UsageError(f"{one.file} and {names[name]} are both called {name!r}.")
        names[name] = one.file
    _refuse_clashes(project, versions, checked)
    done: list[Deployed] = []
    for one in checked:
        version = store_version(versions, one)
        deployment, changed = versions.deploy(project.environment, version.hash)
        done.append(Deployed(deployment, changed))
    return done


def store_version(versions: VersionStore, checked: CheckedFile) -> Version:
    """Stores a checked file's version without deploying it."""
    return versions.put(
        checked.require().agent.name, checked.hash, checked.document, checked.source
    )


def publish(project: Project) -> bool:
    """Has a running platform serve what is live now; False where none is up.

    Raises:
        RunError: the code location cannot be loaded any more.
    """
    from agentflow_dagster.operations.announcement import found_running

    running = found_running(project)
    if running is None:
        return False
    import httpx

    from agentflow_dagster.orchestration.client import DagsterClient

    apply_limits(project)
    with httpx.Client(timeout=120) as http:
        DagsterClient(running["dagster"], http).reload()
    return True


def apply_limits(project: Project) -> None:
    """Makes `maxConcurrentExecutions` of every live agent hold in Dagster's queue."""
    from agentflow_dagster.orchestration.instance import set_limits, write_instance

    with database_url(project.home, project.variables) as url:
        with open_stores(url, project.artifacts) as stores:
            agents = [
                parse_agent(d.version.document) for d in stores.versions.live(project.environment)
            ]
        limits = {
            agent.name: agent.spec.config.max_concurrent_executions
            for agent in agents
            if not isinstance(agent, tuple)
        }
        set_limits(write_instance(project.home, queued=True), url, limits)


def _refuse_clashes(
    project: Project, versions: VersionStore, checked: Sequence[CheckedFile]
) -> None:
    """`a-b` and `a_b` are one name to Dagster, and a webhook's path starts one agent."""
    names: dict[str, str] = {}
    paths: dict[tuple[str, str], str] = {}
    coming = [one.require().agent for one in checked]
    for live in versions.live(project.environment):
        agent = parse_agent(live.version.document)
        if not isinstance(agent, tuple) and agent.name not in {a.name for a in coming}:
            names[agent.name.replace("-", "_")] = agent.name
            paths |= dict.fromkeys(_webhooks(agent), agent.name)
    for agent in coming:
        other = names.setdefault(agent.name.replace("-", "_"), agent.name)
        if other != agent.name:
            raise UsageError(
                f"{agent.name!r} and the deployed {other!r} are one name to Dagster.",
                hint="Rename one of them.",
            )
        for method, path in _webhooks(agent):
            owner = paths.setdefault((method, path), agent.name)
            if owner != agent.name:
                raise UsageError(
                    f"{method} {path} of {agent.name!r} already starts {owner!r}.",
                    hint="Give one of them another webhook path.",
                )


def _webhooks(agent: Agent) -> list[tuple[str, str]]:
    hooks = [trigger.webhook for trigger in agent.spec.triggers.values()]
    return [(hook.method, hook.path) for hook in hooks if hook is not None]
