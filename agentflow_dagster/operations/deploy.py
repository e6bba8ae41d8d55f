"""Deploys agents: stores each as an immutable version and makes it live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.check import check_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agentflow_dagster.operations.check import CheckedFile
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.ports.stores import Deployment, Version, VersionStore
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


def _refuse_clashes(
    project: Project, versions: VersionStore, checked: Sequence[CheckedFile]
) -> None:
    """`a-b` and `a_b` are one name to Dagster."""
    live = {d.version.agent for d in versions.live(project.environment)}
    for one in checked:
        name = one.require().agent.name
        for other in live:
            if other != name and other.replace("-", "_") == name.replace("-", "_"):
                raise UsageError(
                    f"{name!r} and the deployed {other!r} are one name to Dagster.",
                    hint="Rename one of them.",
                )
