"""What the cells of a notebook take from each other: the result of following values through them.

Their order plays no part. What is asked for is by place in the list of texts that was given.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from agentflow_dagster.notebook.flow.effects import taken
from agentflow_dagster.notebook.flow.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.notebook.flow.effects import Effects
    from agentflow_dagster.notebook.names import Unknown
    from agentflow_dagster.spec.diagnostics import Position

How: TypeAlias = Literal["made", "changed"]
"""`made`: the other sets or deletes the name; `changed`: it changes what the name refers to."""


class Links:
    """What is known of each cell by following values through all of them."""

    def __init__(self, effects: Sequence[Effects | None]) -> None:
        self._effects = effects

    def taken(self, maker: int, reader: int) -> Mapping[str, How]:
        """The names by which one cell asks for what another has done."""
        first, second = self._effects[maker], self._effects[reader]
        return {} if first is None or second is None else taken(first, second)

    def looked_up(self, cell: int) -> Mapping[str, Position]:
        """Names that a cell looks up before it sets them, by functions that it calls too.

        Each with the place in the cell where that happens, or where the call is.
        """
        effects = self._effects[cell]
        return {} if effects is None else effects.looked

    def changed(self, cell: int) -> Mapping[str, Position]:
        """Names whose value a cell changes in place for sure, by functions that it calls too."""
        effects = self._effects[cell]
        found: dict[str, Position] = {}
        if effects is not None:
            for part, place in effects.written.items():
                if part not in effects.guessed:
                    for name in sorted(effects.roots.get(part[0], ())):
                        found.setdefault(name, place)
        return found

    def blind(self, cell: int) -> Sequence[Unknown]:
        """Where the text of a cell does not say which names or attributes are meant."""
        effects = self._effects[cell]
        return () if effects is None else effects.blind


@lru_cache(maxsize=4)
def follow(texts: tuple[str, ...]) -> Links:
    """Follows values through cells. What is no Python does nothing, and takes nothing."""
    return Links(World(texts).effects())
