"""Asks the sources of an agent's triggers, within the time that a tick of its sensor has.

What a poll finds and how far it came are stored in one transaction, so that whoever dies between
any two statements loses nothing and doubles nothing: the events are there with the cursor, or the
next tick asks the same again.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from agentflow_dagster.engine.redaction import MIN_LENGTH, Redactor
from agentflow_dagster.errors import AgentFlowError, SourceError
from agentflow_dagster.spec.canonical import canonical_json
from agentflow_dagster.spec.triggers import FileWatch
from agentflow_dagster.spec.units import seconds as seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.events import Feeds, Place, Polled, Source, Sources
    from agentflow_dagster.ports.secrets import Secrets
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.triggers import Trigger
    from agentflow_dagster.spec.values import JsonValue

EVENTS_A_POLL = 100
SECONDS_A_POLL = 10.0
"""After this a source is left to itself, and asked again only once it has come back."""
SECONDS_A_TICK = 25.0
"""Dagster ends a tick after 60 s; the last poll may begin just before this is over."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What a tick works with."""

    feeds: Feeds
    sources: Sources
    secrets: Secrets
    environment: Mapping[str, str]


class Poller:
    """Asks one agent's sources.

    Args:
        agent: The document.
        seconds: Longest that one poll is waited for.
    """

    def __init__(self, agent: Agent, *, seconds: float = SECONDS_A_POLL) -> None:
        self._agent = agent
        self._seconds = seconds
        self._at_work: dict[str, threading.Thread] = {}
        self._triggers = {n: t for n, t in agent.spec.triggers.items() if t.polled is not None}

    def poll(self, asking: Asking) -> list[str]:
        """Asks every source that is due, those first that were asked longest ago.

        Returns what went wrong, a text for each source that could not be asked, without secrets.

        Raises:
            StoreError: our own database cannot be reached.
        """
        ends = time.monotonic() + SECONDS_A_TICK
        now = datetime.now(UTC)
        due: list[tuple[datetime, str, Place]] = []
        for name, trigger in self._triggers.items():
            place = asking.feeds.place(self._agent.name, name, _reading(trigger))
            last = place.polled_at or datetime.fromtimestamp(0, UTC)
            if abs(now - last) >= _interval(trigger):  # or the clock was set back
                due.append((last, name, place))
        problems: list[str] = []
        for _, name, place in sorted(due, key=lambda one: one[0]):
            if time.monotonic() > ends:
                break  # They are the first of the next tick.
            if said := self._poll_one(name, place, asking):
                problems.append(f"{name}: {said}")
        return problems

    def _poll_one(self, name: str, place: Place, asking: Asking) -> str:
        trigger = self._triggers[name]
        scope = _scope(self._agent, asking)
        reading = _reading(trigger)
        try:
            polled = self._bounded(name, asking.sources.of(trigger, scope), place.cursor)
        except Exception as problem:  # noqa: BLE001 - a connector may raise anything
            asking.feeds.failed(self._agent.name, name, reading, after=place.revision)
            said = str(problem) if isinstance(problem, AgentFlowError) else repr(problem)
            secrets = (v for v in scope["secret"].values() if len(v) >= MIN_LENGTH)
            return Redactor(secrets).text(said)
        asking.feeds.take(self._agent.name, name, reading, polled, after=place.revision)
        return ""

    def _bounded(self, name: str, source: Source, cursor: JsonValue) -> Polled:
        """One poll in a thread of its own: a connector may ignore the time that it was given."""
        before = self._at_work.get(name)
        if before is not None and before.is_alive():
            raise SourceError("An earlier poll has not come back yet.")
        result: list[Polled | Exception] = []

        def work() -> None:
            try:
                result.append(source.poll(cursor, limit=EVENTS_A_POLL, seconds=self._seconds))
            except Exception as problem:  # noqa: BLE001 - raised where it is waited for
                result.append(problem)

        thread = threading.Thread(target=work, name=f"poll-{name}", daemon=True)
        self._at_work[name] = thread
        thread.start()
        thread.join(self._seconds + 1)
        if not result:
            raise SourceError(f"It was still at work after {self._seconds:g} s.")
        if isinstance(result[0], Exception):
            raise result[0]
        return result[0]


def _interval(trigger: Trigger) -> timedelta:
    watch = trigger.polled
    if watch is None or isinstance(watch, FileWatch):
        return timedelta(0)
    return timedelta(seconds=seconds_of(watch.every))


def _reading(trigger: Trigger) -> str:
    """What a cursor is good for; where it changes, the source is read from its beginning, and what
    is known already is told by its key."""
    watch = trigger.polled
    told = watch.model_dump(mode="json", exclude={"every", "settle"}) if watch else {}
    if isinstance(watch, FileWatch):
        told = {}  # A list of files is good for any glob.
    return hashlib.sha256(canonical_json([trigger.kind, told]).encode()).hexdigest()


def _scope(agent: Agent, asking: Asking) -> dict[str, dict[str, str]]:
    found = {name: asking.secrets.lookup(name) for name in agent.spec.secrets}
    return {
        "env": {n: asking.environment[n] for n in agent.spec.env if n in asking.environment},
        "secret": {name: value for name, value in found.items() if value is not None},
    }
