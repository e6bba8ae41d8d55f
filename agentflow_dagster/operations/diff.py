"""Compares two agents, each a file or a deployed version."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow_dagster.errors import DocumentError, UsageError
from agentflow_dagster.operations.agents import document_tag
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.operations.pinning import without_digests
from agentflow_dagster.spec.diagnostics import nearest
from agentflow_dagster.spec.diff import Change, diff
from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.ports.stores import Version, VersionStore
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.kind import Catalogue

_SUFFIXES = {".yaml", ".yml", ".json", ".ipynb", ".py"}
_MIN_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Compared:
    """Two agents and every difference, the second seen as the newer."""

    old: Agent
    new: Agent
    changes: tuple[Change, ...]


def compare(
    old: str,
    new: str,
    kinds: Catalogue,
    *,
    environment: str,
    versions: Callable[[], VersionStore],
) -> Compared:
    """Compares two agents.

    Args:
        old, new: A file's path, `name` (what is live), `name:3`, `name:tag`, or `name@hash` with
            six or more digits of the version's hash.
        kinds: Every node kind known here.
        environment: Where names are looked up.
        versions: Opens the store; called only where one of the two is a name.

    Raises:
        UsageError: there is no such file, agent or version.
        DocumentError: a file cannot be read as an agent.
    """
    found: list[Agent] = []
    for text in (old, new):
        if is_file_name(text):
            found.append(_from_file(Path(text), kinds))
        else:
            found.append(_from_version(_version(text, versions(), environment)))
    one, other = found
    if is_file_name(old) is not is_file_name(new):
        # A file says tags where a version says what they meant.
        one, other = without_digests(one), without_digests(other)
    return Compared(one, other, diff(one, other))


def is_file_name(text: str) -> bool:
    """Whether what was asked for is a file, not the name of an agent."""
    return Path(text).suffix in _SUFFIXES or "/" in text


def _from_file(path: Path, kinds: Catalogue) -> Agent:
    checked = check_file(path, kinds)
    if checked.agent is None:
        raise DocumentError([d for d in checked.diagnostics if d.severity == "error"])
    return checked.agent


def _from_version(version: Version) -> Agent:
    parsed = parse_agent(version.document)
    if isinstance(parsed, tuple):
        raise DocumentError(parsed)
    return parsed


def _version(text: str, store: VersionStore, environment: str) -> Version:
    name, at, digits = text.partition("@")
    name, colon, tag = name.partition(":")
    history = store.history(environment, name)
    if not history:
        live = [one.version.agent for one in store.live(environment)]
        raise UsageError(
            f"There is no agent {name!r} deployed in {environment!r}.", hint=nearest(name, live)
        )
    wanted = digits.removeprefix("sha256:")
    if at and len(wanted) < _MIN_DIGITS:
        raise UsageError(f"Give {_MIN_DIGITS} or more digits of the hash, not {wanted!r}.")
    for one in history:
        version = one.version
        named = {str(version.number), f"v{version.number}", document_tag(version.document)}
        if (not colon or tag in named) and (not at or version.hash.startswith(wanted)):
            return version
    numbers = sorted({one.version.number for one in history})
    hint = f"Its versions are {', '.join(map(str, numbers))}."
    raise UsageError(f"{name!r} has no version {text[len(name) + 1 :]!r}.", hint=hint)
