"""What a call is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.notebook.flow.objects import Value


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one call.

    Args:
        given: By position.
        named: By keyword.
        spread: What `*` or `**` may hold.
        is_discarded: Whether nobody uses what the call gives.
    """

    given: tuple[Value, ...] = ()
    named: dict[str, Value] = field(default_factory=dict["str", "Value"])
    spread: Value = frozenset()
    is_discarded: bool = False

    def each(self) -> Iterator[Value]:
        """All of them."""
        yield from self.given
        yield from self.named.values()
        if self.spread:
            yield self.spread

    def all(self) -> Value:
        """All of them as one value."""
        return frozenset[object]().union(*self.each())  # type: ignore[return-value]

    def behind(self, first: Value) -> Arguments:
        """The same with one in front, such as `self`."""
        return Arguments((first, *self.given), self.named, self.spread, self.is_discarded)

    def at(self, index: int, name: str = "") -> Value:
        """One by its place or name; nothing where it is not given."""
        if index < len(self.given):
            return self.given[index]
        return self.named.get(name, self.spread)
