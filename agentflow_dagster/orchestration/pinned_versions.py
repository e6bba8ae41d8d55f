"""The versions that a run is pinned to, for a run that needs few of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from agentflow_dagster.ports.stores import Version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.ports.stores import GenerationId, VersionStore


class PinnedVersions(Mapping[str, Version]):
    """The versions of sets by agent, each read when it is asked for: to read fifty takes as long as
    half of a run's start.

    Args:
        store: Keeps the sets.
        sets: Their ids; of two versions of an agent, that of the later set counts.
    """

    def __init__(self, store: VersionStore, sets: Sequence[GenerationId]) -> None:
        self._store = store
        self._members = {
            agent: hash_ for each in sets for agent, hash_ in store.members(each).items()
        }

    def __getitem__(self, agent: str) -> Version:
        version = self._store.get(self._members[agent])
        if version is None:
            raise KeyError(agent)
        return version

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)
