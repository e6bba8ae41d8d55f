"""Which agents there are to be run by others: a project's files, and what is deployed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.check import read_file
from agentflow_dagster.operations.project import Project

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from agentflow_dagster.ports.stores import VersionStore
    from agentflow_dagster.spec.values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class NamedFile:
    """The agent that a file says it holds; whether it is sound is not asked."""

    path: Path
    name: str
    tag: str | None


def known_agents(
    project: Project, versions: VersionStore | None = None, more: Sequence[Path] = ()
) -> Mapping[str, set[str]]:
    """Every agent that can be run, by name, with its tags and the numbers of its versions.

    Args:
        project: Its files count, deployed or not.
        versions: Deployed agents count too; None leaves the database alone.
        more: Files that count beside the project's.
    """
    known: dict[str, set[str]] = {}
    for file in named_files([*project.working_files(), *more]):
        known.setdefault(file.name, set()).update({file.tag} if file.tag else ())
    if versions is None:
        return known
    for live in versions.live(project.environment):
        tags = known.setdefault(live.version.agent, set())
        for one in versions.history(project.environment, live.version.agent):
            tags.add(str(one.version.number))
            if tag := document_tag(one.version.document):
                tags.add(tag)
    return known


def agents_around(files: Sequence[Path]) -> Mapping[str, set[str]] | None:
    """The agents that files may run, by the files of the project around the current folder and by
    one another; None outside a project, where nobody knows. The database is left alone."""
    try:
        project = Project.find()
    except UsageError:
        return None
    return known_agents(project, more=[path for path in files if path.is_file()])


def named_files(paths: Sequence[Path]) -> list[NamedFile]:
    """The agents that files say they hold; a file that says no name is left out."""
    found: list[NamedFile] = []
    for path in paths:
        metadata = _metadata(path)
        name = metadata.get("name")
        if isinstance(name, str):
            tag = metadata.get("tag")
            found.append(NamedFile(path, name, tag if isinstance(tag, str) else None))
    return found


def document_tag(document: Mapping[str, JsonValue]) -> str | None:
    """`metadata.tag` of a document."""
    metadata = document.get("metadata")
    tag = metadata.get("tag") if isinstance(metadata, dict) else None
    return tag if isinstance(tag, str) else None


def _metadata(path: Path) -> JsonObject:
    document = read_file(path, file=str(path)).written
    metadata = document.get("metadata") if document else None
    return cast("JsonObject", metadata) if isinstance(metadata, dict) else {}
