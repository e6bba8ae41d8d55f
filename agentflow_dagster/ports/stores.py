"""What is kept between processes: versions, step values and the inbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NewType, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from agentflow_dagster.spec.values import JsonObject, Value

VersionHash = NewType("VersionHash", str)
"""sha256 (hex) of an agent's canonical JSON, layout left out."""

GenerationId = NewType("GenerationId", str)
"""sha256 (hex) over the sorted `(agent, version hash)` pairs that a code location serves."""


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable agent document.

    Args:
        hash: Its identity.
        agent: `metadata.name`.
        number: 1, 2, 3 … within the agent, in order of first deployment; 0 where it was only ever
            a working file.
        document: The document as JSON, layout included.
        source: Where it came from (file, positions by JSON pointer), outside the hash.
        created_at: When it was first stored.
    """

    hash: VersionHash
    agent: str
    number: int
    document: JsonObject
    source: JsonObject
    created_at: datetime


AGENTS_PER_LOCATION = 50
"""Most deployed agents in one code location (docs/decisions/0010-code-locations.md)."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A version live in an environment.

    Args:
        environment: Where.
        version: What.
        deployed_at: Since when.
        location: The code location that serves the agent, 1, 2, 3 …
    """

    environment: str
    version: Version
    deployed_at: datetime
    location: int = 1


class VersionStore(Protocol):
    """Keeps versions, what is deployed, and the sets of versions that runs are pinned to."""

    def put(
        self, agent: str, hash_: VersionHash, document: JsonObject, source: JsonObject
    ) -> Version:
        """Stores a version without deploying it; the same hash again returns the stored one."""
        ...

    def get(self, hash_: VersionHash) -> Version | None: ...

    def deploy(
        self, environment: str, hash_: VersionHash, *, room: int = AGENTS_PER_LOCATION
    ) -> tuple[Deployment, bool]:
        """Makes a stored version live; the flag says whether anything changed.

        Gives the version its number at its first deployment. An agent stays in its code location
        for as long as it is live; one that is not goes to the first that has room for it.

        Args:
            environment: Where.
            hash_: What.
            room: Most agents in a code location.
        """
        ...

    def undeploy(self, environment: str, agent: str) -> bool:
        """Takes an agent out of an environment; False where it was not there.

        Its versions and its history stay. Deployed again, it goes on with its numbers.
        """
        ...

    def live(self, environment: str) -> Sequence[Deployment]:
        """What is live, ordered by agent name."""
        ...

    def revision(self, environment: str) -> int:
        """How often what is live there has changed."""
        ...

    def locations(self, environment: str) -> Mapping[int, int]:
        """How many agents are live in each code location that ever had one."""
        ...

    def location_of(self, environment: str, agent: str) -> int | None:
        """The code location of an agent; None where it is not live."""
        ...

    def history(self, environment: str, agent: str) -> Sequence[Deployment]:
        """Every deployment of one agent, newest first."""
        ...

    def pin(self, members: Mapping[str, VersionHash]) -> GenerationId:
        """Stores a set `{agent: version hash}` under its id; the same set again is the same id."""
        ...

    def members(self, generation: GenerationId) -> Mapping[str, VersionHash]:
        """A set as it was pinned, ordered by agent name.

        Raises:
            StoreError: no such set.
        """
        ...

    def pinned(self, generation: GenerationId) -> Sequence[Version]:
        """The versions of a set, ordered by agent name.

        Raises:
            StoreError: no such set.
        """
        ...


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What a finished step left behind.

    Args:
        port: The port that it left by (`result`, `error`, a switch's case).
        value: Its output.
        facts: Figures for a person: usage, latency, attempts, errors handled.
    """

    port: str
    value: Value
    facts: JsonObject = field(default_factory=lambda: {})  # noqa: PIE807 - dict has no type


class StepStore(Protocol):
    """Values by (run, node): what one step hands to the next, and what a person opens later."""

    def put(self, run_id: str, node: str, output: StepOutput) -> None:
        """Stores a step's output; a second attempt replaces the first."""
        ...

    def get(self, run_id: str, node: str) -> StepOutput | None: ...

    def all(self, run_id: str) -> Mapping[str, StepOutput]:
        """Every finished step of a run, by node."""
        ...

    def newest_run_with(self, agent_runs: Sequence[str], nodes: Sequence[str]) -> str | None:
        """The first of `agent_runs` (newest first) that has an output for every one of `nodes`."""
        ...


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A webhook call (or other event) that is to be accepted.

    Args:
        agent: Whose run it is owed.
        trigger: The agent's trigger that it came by.
        event: What was sent.
        idempotency_key: By which a repeated call is known, within the agent and trigger.
    """

    agent: str
    trigger: str
    event: JsonObject
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """One accepted webhook call (or other event) that a run is owed for."""

    id: int
    agent: str
    trigger: str
    event: JsonObject
    received_at: datetime
    state: Literal["pending", "started", "rejected", "dropped"]
    run_id: str | None = None

    @property
    def run_key(self) -> str:
        """Dagster's run key: at most one run is started per key and sensor."""
        return f"{_RUN_KEY}{self.id}"


_RUN_KEY = "inbox-"


def event_of(run_key: str) -> int | None:
    """The id of the event that a run key is of; None where it is of something else."""
    number = run_key.removeprefix(_RUN_KEY)
    is_ours = run_key != number and number.isascii() and number.isdecimal() and len(number) < 19
    return int(number) if is_ours else None


CLAIM_SECONDS = 15.0
"""How long whoever claimed an event has to start its run, before another may try."""


class Inbox(Protocol):
    """Events owed a run. An event is accepted once its row is committed.

    Whoever wants to start the run of an event claims it first, so that two do not both try. The
    claim saves them the work and is no more: that there is one run alone is seen to where its row
    is written.
    """

    def add(
        self, agent: str, trigger: str, event: JsonObject, *, idempotency_key: str | None = None
    ) -> tuple[InboxEvent, bool]:
        """Commits an event; the flag is False where the idempotency key was seen before for this
        agent and trigger, and the earlier event is returned."""
        ...

    def add_all(
        self, events: Sequence[NewEvent], *, claimed_by: str | None = None
    ) -> Sequence[tuple[InboxEvent, bool]]:
        """Commits events together, all or none; each in its place as `add` has it.

        Args:
            events: In the order in which they came.
            claimed_by: Who claims those that are new.
        """
        ...

    def get(self, event_id: int) -> InboxEvent | None: ...

    def pending(self, agent: str, *, limit: int = 100) -> Sequence[InboxEvent]:
        """Events whose run has not begun, oldest first, claimed or not."""
        ...

    def count_pending(self, *, most: int) -> int:
        """How many events' runs have not begun, of all agents; counts up to `most`."""
        ...

    def claim(self, event_id: int, by: str, *, seconds: float = CLAIM_SECONDS) -> bool:
        """Claims one pending event; False where another has it, or it is pending no more. Who has
        it may claim it again, for longer.

        Args:
            event_id: Which.
            by: Who; a name that nobody else claims by.
            seconds: How long the claim lasts.
        """
        ...

    def claim_next(
        self, agent: str, by: str, *, limit: int = 100, seconds: float = CLAIM_SECONDS
    ) -> Sequence[InboxEvent]:
        """Claims pending events that nobody has, or whose claim has run out, oldest first."""
        ...

    def release(self, event_id: int, by: str) -> None:
        """Gives a claim back before its time, where it is still this one's."""
        ...

    def settle(self, started: Mapping[int, str]) -> None:
        """Records `{event id: run id}` for events whose run exists."""
        ...

    def reject(self, event_id: int, reason: str) -> None:
        """Takes an event that can never become a run out of the queue; the reason is kept."""
        ...
