"""Which nodes run, for every way in which an agent's choices can fall.

A switch takes one of its cases, a `when` is true or false, a node with `onError` leaves by `result`
or `error`. Each combination is one bit of an integer, so "is there a run in which A runs and B does
not" is one `&`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.graph.topology import Topology

MAX_COMBINATIONS = 1 << 16
"""Past this many, presence is not judged and nothing is reported."""


@dataclass(frozen=True, slots=True)
class Choices:
    """How a node may leave once it is reached.

    Args:
        ports: Its ports; exactly one is taken.
        skippable: Whether its own `when` may skip it.
    """

    ports: tuple[str, ...]
    skippable: bool = False


class Presence:
    """Answers when nodes run; None for an agent with too many choices to enumerate."""

    def __init__(
        self,
        everywhere: int,
        due: Mapping[str, int],
        took: Mapping[tuple[str, str], int],
        reached: Mapping[str, int],
    ) -> None:
        self._everywhere = everywhere
        self._due = due
        self._took = took
        self._reached = reached

    def may_lack(self, node: str, port: str, *, when: str | None = None) -> bool:
        """Whether `node` may not leave by `port` in a run in which `when` is due (or in any run).

        A node is due once control reaches it: what it merely reads is left aside.
        """
        where = self._everywhere if when is None else self._due[when]
        return bool(where & ~self._took.get((node, port), 0))

    def never(self, node: str) -> bool:
        """Whether there is no run in which the node is reached, whatever the choices."""
        return not self._reached[node]


def presence(topology: Topology, choices: Mapping[str, Choices]) -> Presence | None:
    """Enumerates the choices of an agent."""
    sizes = {n: len(choices[n].ports) + choices[n].skippable for n in topology.order}
    total = prod(sizes.values())
    if total > MAX_COMBINATIONS:
        return None
    everywhere = (1 << total) - 1
    due: dict[str, int] = {}
    took: dict[tuple[str, str], int] = {}
    reached_in: dict[str, int] = {}
    stride = 1
    for node in topology.order:
        required, any_of = _reached(topology, node, took, everywhere)
        due[node] = required if any_of is None else any_of
        reached = required if any_of is None else required & any_of
        reached_in[node] = reached
        options = _option_masks(sizes[node], stride, total)
        stride *= sizes[node]
        # Where a `when` may skip the node, the last option is no port.
        for port, mask in zip(choices[node].ports, options, strict=False):
            took[node, port] = reached & mask
    return Presence(everywhere, due, took, reached_in)


def _reached(
    topology: Topology, node: str, took: Mapping[tuple[str, str], int], everywhere: int
) -> tuple[int, int | None]:
    """Where all required edges are there; and where any of its `any` edges is, if it has some."""
    required, any_of = everywhere, None
    for edge in topology.into(node):
        present = took.get((edge.source, edge.port), 0)
        if edge.role == "required":
            required &= present
        elif edge.role == "any":
            any_of = (any_of or 0) | present
    return required, any_of


def _option_masks(size: int, stride: int, total: int) -> Sequence[int]:
    """For each value of one choice, the combinations in which it falls that way."""
    block = (1 << stride) - 1
    everywhere = (1 << total) - 1
    masks: list[int] = []
    for value in range(size):
        mask, width = block << (value * stride), stride * size
        while width < total:
            mask |= mask << width
            width *= 2
        masks.append(mask & everywhere)
    return masks
