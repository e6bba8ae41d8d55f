"""Where events come from that nobody sends: sources that are asked, and the place of the asking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NewType, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pydantic import BaseModel

    from agentflow_dagster.spec.triggers import Trigger
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue

Revision = NewType("Revision", int)
"""Counts the polls of one trigger; 0 before the first."""


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """One thing that a source found.

    Args:
        key: What tells it apart from every other of this source (at most 500 characters); one that
            was seen before is passed over.
        event: What `{{event.…}}` reads.
        rejected: Why it cannot start a run; "" where it can.
    """

    key: str
    event: JsonObject
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll gave: events, and the cursor for the next, which is stored with them."""

    events: Sequence[SourceEvent]
    cursor: JsonValue


class Source(Protocol):
    """One trigger's source, made ready to be asked."""

    def poll(self, cursor: JsonValue, *, limit: int, seconds: float) -> Polled:
        """What is new since the cursor; it changes nothing outside, so it may be asked twice.

        Args:
            cursor: What the last stored poll gave; None at first.
            limit: Most events to give; the rest is found at the next poll.
            seconds: How long it may take.

        Raises:
            SourceError: the source cannot be asked.
        """
        ...


class EventSource(Protocol):
    """A connector, which triggers name: `event: {source: name, config: …}`."""

    @property
    def name(self) -> str: ...

    @property
    def config(self) -> type[BaseModel]:
        """The model of a trigger's `config`."""
        ...

    @property
    def event_schema(self) -> JsonSchema:
        """JSON Schema of `event`, an object."""
        ...

    def poll(
        self, cursor: JsonValue, config: BaseModel, *, limit: int, seconds: float
    ) -> tuple[Sequence[SourceEvent], JsonValue]:
        """As `Source.poll`: events, and the cursor for the next."""
        ...


class Sources(Protocol):
    """Makes triggers' sources ready."""

    def of(self, trigger: Trigger, scope: Mapping[str, Mapping[str, str]]) -> Source:
        """The source of a polled trigger; `scope` has the values of `env` and `secret`.

        Raises:
            SourceError: it cannot be made ready: a variable is not set, a connector is missing.
        """
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """How far a trigger's source was read.

    Args:
        cursor: The source's own; None before the first poll.
        revision: Counts the polls.
        polled_at: When it was last asked, or None.
    """

    cursor: JsonValue = None
    revision: Revision = field(default=Revision(0))
    polled_at: datetime | None = None


class Feeds(Protocol):
    """How far each trigger's source was read, moved on together with the inbox."""

    def place(self, agent: str, trigger: str, reading: str) -> Place:
        """The place of a trigger; the first one where it was never polled, or read otherwise.

        Args:
            agent, trigger: Which.
            reading: What a cursor is good for: a change of it begins anew.
        """
        ...

    def take(
        self, agent: str, trigger: str, reading: str, polled: Polled, *, after: Revision
    ) -> int | None:
        """Adds events to the inbox and moves the cursor, both or neither; how many were new.

        None, and nothing is changed, where somebody else has moved the cursor after `after`.
        """
        ...

    def failed(self, agent: str, trigger: str, reading: str, *, after: Revision) -> None:
        """Records that the source was asked in vain; the cursor stays."""
        ...
