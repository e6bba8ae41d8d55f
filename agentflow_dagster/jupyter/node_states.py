"""How the nodes of a run stand, as widgets and pictures show it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.values import JsonObject

State: TypeAlias = Literal[
    "waiting",
    "running",
    "retrying",
    "suspended",
    "done",
    "handled",
    "failed",
    "skipped",
    "canceled",
    "stale",
]


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node of a run.

    Args:
        state: `handled` where it has left by its `error` port; `stale` where the document has
            changed since.
        since: When it began (Unix seconds), while it runs.
        seconds: How long it took; None where that is not known.
        tokens: In and out.
        cost: USD; None where a price is not known.
        port: By which it has left; "" where that is not known.
        error: What went wrong; "" where nothing did.
    """

    state: State
    since: float | None = None
    seconds: float | None = None
    tokens: int = 0
    cost: float | None = 0.0
    port: str = ""
    error: str = ""

    def to_json(self) -> JsonObject:
        """`NodeState` in `extensions/graph/src/types.ts`."""
        return {name: getattr(self, name) for name in self.__slots__}


NodeStates: TypeAlias = "Mapping[str, NodeState]"
"""By the node's path."""


def states_json(states: NodeStates) -> JsonObject:
    """All of them, by path."""
    return {path: state.to_json() for path, state in states.items()}


def figures(state: NodeState) -> str:
    """What is said of a node in one line: `1.2 s · 240 tok · $0.0004`."""
    if state.state == "failed" and state.error:
        return " ".join(state.error.split())
    said = [state.state if state.seconds is None else duration(state.seconds)]
    if state.tokens:
        said += [f"{state.tokens:,} tok", cost(state.cost)]
    return " · ".join(said)


def duration(seconds: float) -> str:
    """`340 ms`, `1.2 s`, `2:05 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02} h"


def cost(usd: float | None) -> str:
    """`$0.0004`; `price not known` where it is not."""
    if usd is None:
        return "price not known"
    if usd == 0:
        return "$0"
    if usd < 0.0001:
        return f"${Decimal(f'{usd:.1g}'):f}"
    return f"${usd:.4f}" if usd < 0.01 else f"${usd:.2f}"
