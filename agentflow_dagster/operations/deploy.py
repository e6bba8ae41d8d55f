"""Deploys agents: stores each as an immutable version and makes it live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.graph.agent_references import parse_reference, references
from agentflow_dagster.operations.locations import room
from agentflow_dagster.operations.storing import checked_with_what_they_run, store_held
from agentflow_dagster.spec.diagnostics import nearest
from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agentflow_dagster.operations.check import CheckedFile
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.ports.stores import Deployment, Version, VersionStore
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Deployed:
    """What deploying one file did.

    Args:
        deployment: What is live now.
        changed: False where that very version was live already.
        new: Whether no version of the agent was live before.
        new_limit: Whether it may have more or fewer runs at a time than the version before it.
    """

    deployment: Deployment
    changed: bool
    new: bool
    new_limit: bool


def deploy_files(
    project: Project, versions: VersionStore, kinds: Catalogue, paths: Sequence[Path]
) -> list[Deployed]:
    """Checks every file first, and deploys all or none; what they run is deployed before them.

    An agent that a file runs and that is not deployed, or not with the tag asked for, is deployed
    from the project's file of that name and tag.

    Raises:
        DocumentError: a file has errors.
        UsageError: a file is missing, or two say the same name.
    """
    by_name = checked_with_what_they_run(project, versions, kinds, paths)
    _refuse_clashes(project, versions, list(by_name.values()))
    done: list[Deployed] = []
    before = {d.version.agent: d.version for d in versions.live(project.environment)}
    most = room(project)
    for version in store_held(project, versions, by_name):
        deployment, changed = versions.deploy(project.environment, version.hash, room=most)
        earlier = before.get(version.agent)
        done.append(
            Deployed(
                deployment,
                changed,
                new=earlier is None,
                new_limit=earlier is None or _config(earlier) != _config(version),
            )
        )
    return done


def _config(version: Version) -> JsonValue:
    """The part of a document that says how many runs there may be at a time, among other things."""
    return cast("JsonObject", version.document["spec"]).get("config")


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


def undeploy(
    project: Project, versions: VersionStore, name: str, *, environment: str | None = None
) -> Deployment:
    """Takes an agent out of its environment; its versions and runs stay.

    Raises:
        UsageError: no such agent is deployed there, or another one that is deployed runs it.
    """
    place = environment or project.environment
    live = {one.version.agent: one for one in versions.live(place)}
    wanted = next((n for n in live if n.replace("_", "-") == name.replace("_", "-")), None)
    if wanted is None:
        raise UsageError(
            f"There is no agent {name!r} deployed in {place!r}.", hint=nearest(name, live)
        )
    users = [one.version.agent for one in live.values() if _runs(one.version, wanted)]
    if users:
        raise UsageError(
            f"{wanted!r} is run by {', '.join(users)}.",
            hint=f"Delete or change {users[0]} first.",
        )
    versions.undeploy(place, wanted)
    return live[wanted]


def _runs(version: Version, name: str) -> bool:
    agent = parse_agent(version.document)
    if isinstance(agent, tuple) or version.agent == name:
        return False
    found = (parse_reference(text) for _, text in references(agent))
    return any(one is not None and one.name == name for one in found)
