"""Starts the run of an accepted event as its sensor would: in the engine, or through Dagster's
webserver where the engine does not take it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.errors import AgentFlowError, RunError
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.asked_lines import NobodyListensError
from agentflow_dagster.orchestration.engine_lane.asking import BeginRun, ask
from agentflow_dagster.orchestration.event_run import event_run, sensor_tags
from agentflow_dagster.ports.starter import NotStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.orchestration.client import DagsterClient
    from agentflow_dagster.ports.stores import Inbox, InboxEvent
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject

SECONDS_KNOWN = 1.0
"""How long it holds that a sensor is on, or off."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """An agent that is live, its version's hash, and the code location that serves it."""

    agent: Agent
    version: str
    location: str


class EventStarter:
    """Starts runs of accepted events.

    Args:
        client: Dagster's webserver.
        inbox: Where the events are.
        deployed: The live agent of a name.
        environment: What `{{env.…}}` reads.
        engine: Where the engine is asked; None where there is none.
    """

    def __init__(
        self,
        client: DagsterClient,
        inbox: Inbox,
        deployed: Callable[[str], Deployed | None],
        environment: Mapping[str, str],
        *,
        engine: str | None = None,
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._deployed = deployed
        self._environment = environment
        self._engine = engine
        self._lock = Lock()
        self._on: dict[tuple[str, str], tuple[float, bool]] = {}

    async def start(self, event: InboxEvent) -> None:
        """Starts the event's run, unless the agent's sensor was switched off.

        Raises:
            NotStarted: it is not to be started now, or cannot be.
            AgentFlowError: whether it was started is not known.
        """
        await asyncio.to_thread(self._start, event)

    def _start(self, event: InboxEvent) -> None:
        found = self._deployed(event.agent)
        if found is None:
            raise NotStarted(f"{event.agent!r} is not deployed any more.")
        try:
            asked = event_run(found.agent, event, self._environment)
        except AgentFlowError as problem:
            raise NotStarted(f"It cannot become an input: {problem}") from problem
        if asked.partition is not None and asked.partition.grows:
            raise NotStarted("Its partition may be new, which is the sensor's to add.")
        tags = {**asked.tags, **sensor_tags(found.agent.name, event)}
        if asked.partition is not None:
            tags.update(asked.partition.tags)
        try:
            if not self._sensor_on(found):
                raise NotStarted(f"The sensor of {event.agent!r} is switched off.")
            if asked.partition is None and self._begun(found, event, asked.input, tags):
                return
            run_id = self._client.launch(
                found.agent.name, asked.input, tags, location=found.location
            )
        except RunError as problem:
            if _never_arrived(problem):
                raise NotStarted(str(problem)) from problem
            raise
        self._inbox.settle({event.id: run_id})

    def _begun(
        self, found: Deployed, event: InboxEvent, input_: JsonObject, tags: Mapping[str, str]
    ) -> bool:
        """Whether the engine has begun the run."""
        if self._engine is None:
            return False
        begin = BeginRun(
            event_id=event.id,
            version=found.version,
            location=found.location,
            input=cast("Any", input_),
            tags=dict(tags),
        )
        try:
            return ask(self._engine, begin).done
        except NobodyListensError:
            return False

    def _sensor_on(self, found: Deployed) -> bool:
        """Whether the agent's sensor is on; what was told a second ago holds."""
        sensor = (found.location, names.sensor_name(found.agent.name))
        with self._lock:
            known = self._on.get(sensor)
        if known is not None and time.monotonic() - known[0] < SECONDS_KNOWN:
            return known[1]
        asked_at = time.monotonic()
        on = self._client.sensor_on(sensor[1], location=sensor[0])
        with self._lock:
            self._on[sensor] = (asked_at, on)
        return on


def _never_arrived(problem: RunError) -> bool:
    """Whether the webserver has said no, or was not reached at all."""
    import httpx

    return problem.__cause__ is None or isinstance(
        problem.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout
    )
