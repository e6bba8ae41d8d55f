"""What becomes of runs, told while it happens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NewType, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from agentflow_dagster.spec.values import JsonObject

EventId = NewType("EventId", int)
"""Where an event stands among all: a later one has a higher id, and becomes visible later."""

RunGoesOn: TypeAlias = Literal[
    "queued", "dequeued", "starting", "started", "suspended", "resumed", "canceling"
]
RunEnd: TypeAlias = Literal["succeeded", "failed", "canceled"]
RunState: TypeAlias = RunGoesOn | RunEnd
StepState: TypeAlias = Literal[
    "started", "output", "retrying", "handled", "succeeded", "failed", "skipped"
]
ENDED: frozenset[RunEnd] = frozenset({"succeeded", "failed", "canceled"})
"""After these nothing more becomes of a run."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a step took; nothing where Dagster has no figures of it.

    Args:
        cost_usd: USD; None where a model's price is not known.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = None
    model: str = ""
    provider: str = ""

    def to_json(self) -> JsonObject:
        """The fields that `--json` prints."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class RunChanged:
    """A run has come to another state.

    Args:
        id: The event's.
        at: Unix seconds.
        run_id: Dagster's.
        agent: Whose run it is; of a run that is no agent's, the job.
        state: What it is now.
        error: Why it failed; "" where it did not.
    """

    id: EventId
    at: float
    run_id: str
    agent: str
    state: RunState
    error: str = ""

    @property
    def end(self) -> RunEnd | None:
        """How the run has ended; None where it goes on."""
        return self.state if self.state in ENDED else None

    def to_json(self) -> JsonObject:
        """The fields that `--json` prints."""
        return {**_common(self), "what": "run", "state": self.state, "error": self.error}


@dataclass(frozen=True, slots=True)
class StepChanged:
    """A step of a run has come to another state; the first four fields as in `RunChanged`.

    Args:
        node: Whose step it is.
        state: What it is now.
        port: By which it has left, with `output`.
        latency_ms: Milliseconds of its last attempt, with `succeeded`.
        wait_seconds: Until its next attempt, with `retrying`.
        error: What went wrong; "" where nothing did.
        figures: What its attempts took, with `failed` and `handled`.
    """

    id: EventId
    at: float
    run_id: str
    agent: str
    node: str
    state: StepState
    port: str = ""
    latency_ms: float | None = None
    wait_seconds: float | None = None
    error: str = ""
    figures: Figures = Figures()

    def to_json(self) -> JsonObject:
        """The fields that `--json` prints."""
        return {
            **_common(self),
            "what": "step",
            "node": self.node,
            "state": self.state,
            "port": self.port,
            "latency_ms": self.latency_ms,
            "wait_seconds": self.wait_seconds,
            "error": self.error,
            **self.figures.to_json(),
        }


@dataclass(frozen=True, slots=True)
class AssetMade:
    """An asset was materialized; the first five fields as in `StepChanged`.

    Args:
        asset: Its key, joined by `/`.
        latency_ms: Milliseconds that its step's attempt took; None where it is not known.
        figures: What it took.
    """

    id: EventId
    at: float
    run_id: str
    agent: str
    node: str
    asset: str
    latency_ms: float | None
    figures: Figures

    def to_json(self) -> JsonObject:
        """The fields that `--json` prints."""
        return {
            **_common(self),
            "what": "asset",
            "node": self.node,
            "asset": self.asset,
            "latency_ms": self.latency_ms,
            **self.figures.to_json(),
        }


@dataclass(frozen=True, slots=True)
class ModelSaid:
    """What a model says, while it says it. It is no event: it is not kept, and told to those who
    listen at that moment.

    Args:
        run_id: Dagster's.
        path: The step, with the bodies that it stands in.
        text: The end of the reply as it stands.
    """

    run_id: str
    path: str
    text: str


def node_of(path: str) -> str:
    """The node of the graph itself that a step is, or in whose body it stands."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


LiveEvent: TypeAlias = RunChanged | StepChanged | AssetMade


class LiveEvents(Protocol):
    """Follows runs, whichever process carries them out."""

    def follow(
        self,
        *,
        run_id: str | None = None,
        agent: str | None = None,
        after: EventId | None = None,
        said: Callable[[ModelSaid], None] | None = None,
    ) -> AsyncGenerator[LiveEvent]:
        """Gives events in the order of their ids, none twice and none left out, as they are
        committed. It waits while the database is away, and goes on where it was.

        No more than a few hundred events are held for a caller who does not ask for the next.

        Args:
            run_id: This run's alone; then it ends when the run does, or where there is none.
            agent: This agent's alone.
            after: What comes after that event; None is everything of one run, and of others what
                happens from now on.
            said: Told at once what models say in a run that was begun to be watched.
        """
        ...

    async def place_at(self, at: float) -> EventId:
        """The place of the last event before a moment (Unix seconds), to follow `after`."""
        ...


def _common(event: LiveEvent) -> JsonObject:
    at = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds")
    return {"id": event.id, "at": at, "run_id": event.run_id, "agent": event.agent}
