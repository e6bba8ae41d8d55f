"""Makes versions of files: each is stored with what it runs, every reference held to a digest."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.graph.agent_references import parse_reference, references
from agentflow_dagster.operations.agents import known_agents, named_files
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.operations.pinning import deployed_version, in_order, pinned
from agentflow_dagster.spec.canonical import content_hash, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from agentflow_dagster.graph.agent_references import AgentReference
    from agentflow_dagster.operations.check import CheckedFile
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.ports.stores import Version, VersionHash, VersionStore
    from agentflow_dagster.spec.kind import Catalogue


def checked_with_what_they_run(
    project: Project, versions: VersionStore, kinds: Catalogue, paths: Sequence[Path]
) -> dict[str, CheckedFile]:
    """Files without errors by agent, and those of agents that they run and that are not deployed.

    Raises:
        DocumentError: a file has errors.
        UsageError: a file is missing, or two say the same name.
    """

    @cache
    def known() -> Mapping[str, set[str]]:
        return known_agents(project, versions, more=paths)

    def checked_file(path: Path) -> CheckedFile:
        # Who is known takes every file and every deployed agent: asked only where one is named.
        file = project.relative(path)
        alone = check_file(path, kinds, file=file)
        if alone.plan is not None and not any(references(alone.plan.agent)):
            return alone
        return check_file(path, kinds, file=file, agents=known())

    checked = [checked_file(path) for path in paths]
    names: dict[str, str] = {}
    for one in checked:
        name = one.require().agent.name.replace("-", "_")
        if name in names:
            raise UsageError(f"{one.file} and {names[name]} are both called {name!r}.")
        names[name] = one.file
    by_name = {one.require().agent.name: one for one in checked}
    _add_what_they_run(project, versions, by_name, checked_file)
    return by_name


def store_held(
    project: Project, versions: VersionStore, checked: Mapping[str, CheckedFile]
) -> list[Version]:
    """Stores a version of each, what an agent runs before it; nothing is deployed.

    Raises:
        UsageError: what one of them runs is neither among them nor deployed, or they run each
            other in a circle.
    """
    hashes: dict[str, VersionHash] = {}
    stored: list[Version] = []

    def version_of(reference: AgentReference) -> VersionHash:
        coming = checked.get(reference.name)
        if coming and reference.tag in {None, coming.require().agent.metadata.tag}:
            return hashes[reference.name]
        found = deployed_version(versions, project.environment, reference)
        if found is None:
            raise UsageError(
                f"{reference} is not deployed.", hint="Deploy a file that has this name and tag."
            )
        return found

    agents = {name: one.require().agent for name, one in checked.items()}
    for one in in_order(checked, agents):
        agent = pinned(one.require().agent, version_of)
        hash_ = hashes[agent.name] = cast("VersionHash", content_hash(agent))
        stored.append(versions.put(agent.name, hash_, to_json(agent), one.source))
    return stored


def store_version(versions: VersionStore, checked: CheckedFile) -> Version:
    """Stores a checked file's version without deploying it; tags stay tags."""
    return versions.put(
        checked.require().agent.name, checked.hash, checked.document, checked.source
    )


def _add_what_they_run(
    project: Project,
    versions: VersionStore,
    coming: dict[str, CheckedFile],
    checked_file: Callable[[Path], CheckedFile],
) -> None:
    """Adds the project's files of agents that are run and are not deployed, and of theirs."""

    @cache
    def files() -> dict[tuple[str, str | None], Path]:
        return {
            (file.name, file.tag): file.path for file in named_files([*project.working_files()])
        }

    waiting = list(coming.values())
    while waiting:
        for _, text in references(waiting.pop().require().agent):
            reference = parse_reference(text)
            if reference is None or reference.digest or reference.name in coming:
                continue
            if deployed_version(versions, project.environment, reference):
                continue
            named = {tag: path for (name, tag), path in files().items() if name == reference.name}
            path = (
                named.get(reference.tag) if reference.tag else next(reversed(named.values()), None)
            )
            if path is not None:
                coming[reference.name] = checked_file(path)
                waiting.append(coming[reference.name])
