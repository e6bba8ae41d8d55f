"""A run as its changes tell of it: how its nodes stand, what was said, what it took."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias, assert_never

from agentflow_dagster.jupyter.node_states import NodeState, cost, duration
from agentflow_dagster.ports.live_events import (
    AssetMade,
    ModelSaid,
    RunChanged,
    StepChanged,
    node_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.jupyter.node_states import State
    from agentflow_dagster.ports.live_events import LiveEvent, RunState
    from agentflow_dagster.spec.values import JsonObject

Tone: TypeAlias = Literal["plain", "good", "bad", "quiet"]

_MOST_LINES = 400
_UNDER_WAY = frozenset({"waiting", "running", "retrying", "suspended"})


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a run's log: when (Unix seconds), of which node ("" is the run), and what."""

    at: float
    node: str
    text: str
    tone: Tone = "plain"

    def to_json(self) -> JsonObject:
        """With the time as it is on a clock here."""
        clock = datetime.fromtimestamp(self.at).strftime("%H:%M:%S.%f")[:-3]  # noqa: DTZ006 - local
        return {"at": clock, "node": self.node, "text": self.text, "tone": self.tone}


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is; a change returns a copy.

    Args:
        state: Of the run; None where nothing was told yet.
        nodes: By path, every node of the graph itself.
        lines: What was told, the newest last.
        began, ended: Unix seconds.
        said: By the path of each step whose model speaks, the end of what it says.
    """

    state: RunState | None = None
    nodes: Mapping[str, NodeState] = field(default_factory=dict[str, NodeState])
    lines: tuple[Line, ...] = ()
    began: float | None = None
    ended: float | None = None
    said: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, nodes: tuple[str, ...]) -> RunProgress:
        """Before anything has happened."""
        return cls(nodes=dict.fromkeys(nodes, NodeState("waiting")))

    @property
    def tokens(self) -> int:
        """In and out, of all nodes."""
        return sum(node.tokens for node in self.nodes.values())

    @property
    def cost(self) -> float | None:
        """USD; None where a price is not known."""
        costs = [node.cost for node in self.nodes.values()]
        known = [one for one in costs if one is not None]
        return sum(known) if len(known) == len(costs) else None

    def after(self, event: LiveEvent | ModelSaid) -> RunProgress:
        """As it stands after a change."""
        match event:
            case RunChanged():
                return self._run(event)
            case StepChanged():
                return self._step(event).taking(event)
            case ModelSaid():
                return self._hearing(event)
            case AssetMade():
                return self.taking(event)
            case _:
                assert_never(event)

    def _run(self, event: RunChanged) -> RunProgress:
        tones: Mapping[str, Tone] = {"succeeded": "good", "failed": "bad"}
        tone: Tone = tones.get(event.state, "plain")
        text = f"run {event.state}" + (f": {_first_line(event.error)}" if event.error else "")
        progress = self.saying(Line(event.at, "", text, tone))
        progress = replace(progress, state=event.state)
        if event.state == "started" and self.began is None:
            progress = replace(progress, began=event.at)
        if event.end is None:
            return progress
        # What was not reached by then will not be.
        nodes = {
            name: replace(node, state="canceled", since=None) if node.state in _UNDER_WAY else node
            for name, node in self.nodes.items()
        }
        return replace(progress, nodes=nodes, ended=event.at, said={})

    def _step(self, event: StepChanged) -> RunProgress:
        node = self.nodes.get(event.node, NodeState("waiting"))
        took = event.latency_ms / 1000 if event.latency_ms is not None else None
        if took is None and node.since is not None:
            took = max(0.0, event.at - node.since)
        text: str = event.state
        tone: Tone = "plain"
        match event.state:
            case "started":
                node = replace(node, state="running", since=event.at, seconds=None, error="")
            case "output":
                node = replace(node, port=event.port)
                text = "" if event.port == "result" else f"left by {event.port}"
            case "retrying":
                node = replace(node, state="retrying", since=None, error=event.error)
                wait = event.wait_seconds
                text = "tried again" + (f" in {wait:g} s" if wait is not None else "")
            case "handled":
                node = _ended(node, "handled", took, event.error)
            case "succeeded":
                kept: State = "handled" if node.state == "handled" else "done"
                node = _ended(node, kept, took, node.error)
                text, tone = f"succeeded in {duration(took)}" if took is not None else text, "good"
            case "failed":
                node, tone = _ended(node, "failed", took, event.error), "bad"
            case "skipped":
                node, tone = _ended(node, "skipped", None, ""), "quiet"
            case _:
                assert_never(event.state)
        if event.error:
            text = f"{text}: {_first_line(event.error)}"
        # Its models say no more, or begin anew.
        said = {path: text for path, text in self.said.items() if node_of(path) != event.node}
        progress = replace(self, nodes={**self.nodes, event.node: node}, said=said)
        line = Line(event.at, event.node, text, tone)
        return progress.saying(line) if text else progress

    def _hearing(self, event: ModelSaid) -> RunProgress:
        node = self.nodes.get(node_of(event.path))
        if self.ended is not None or (node is not None and node.state not in _UNDER_WAY):
            return self  # It comes after the step's end, which is told on another way.
        said = {path: text for path, text in self.said.items() if path != event.path}
        return replace(self, said={**said, event.path: event.text} if event.text else said)

    def taking(self, event: AssetMade | StepChanged) -> RunProgress:
        """With what a node's calls of models took, where it made any."""
        taken = event.figures
        if not taken.model:
            return self
        tokens = taken.tokens_in + taken.tokens_out
        node = self.nodes.get(event.node, NodeState("running"))
        node = replace(node, tokens=tokens, cost=taken.cost_usd)
        text = f"{tokens:,} tokens, {cost(taken.cost_usd)}, {taken.model}"
        progress = replace(self, nodes={**self.nodes, event.node: node})
        return progress.saying(Line(event.at, event.node, text, "quiet"))

    def saying(self, line: Line) -> RunProgress:
        """With one more line; the oldest goes where there are too many."""
        return replace(self, lines=(*self.lines, line)[-_MOST_LINES:])


def _ended(node: NodeState, state: State, seconds: float | None, error: str) -> NodeState:
    return replace(node, state=state, since=None, seconds=seconds, error=error)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
