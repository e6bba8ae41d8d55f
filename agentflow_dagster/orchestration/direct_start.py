"""Starts the run of an accepted event as its sensor would: in the engine, or through Dagster's
webserver where the engine does not take it."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.errors import AgentFlowError, RunError
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.asked_lines import NobodyListensError
from agentflow_dagster.orchestration.engine_lane.asking import BeginRun
from agentflow_dagster.orchestration.event_run import event_run, sensor_tags
from agentflow_dagster.ports.starter import NotStarted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from agentflow_dagster.orchestration.client import DagsterClient
    from agentflow_dagster.orchestration.engine_lane.asking import EngineLines
    from agentflow_dagster.orchestration.event_run import EventRun
    from agentflow_dagster.ports.stores import Inbox, InboxEvent
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject

_THREADS = 16
"""Most questions to the webserver at a time."""
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
        engine: The engine; None where there is none.
    """

    def __init__(
        self,
        client: DagsterClient,
        inbox: Inbox,
        deployed: Callable[[str], Awaitable[Deployed | None]],
        environment: Mapping[str, str],
        *,
        engine: EngineLines | None = None,
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._deployed = deployed
        self._environment = environment
        self._engine = engine
        # Of its own: who accepts events is not to wait for the webserver.
        self._threads = ThreadPoolExecutor(_THREADS)
        self._asked: dict[tuple[str, str], _Asked] = {}

    async def start(self, event: InboxEvent) -> None:
        """Starts the event's run, unless the agent's sensor was switched off.

        Raises:
            NotStarted: it is not to be started now, or cannot be.
            AgentFlowError: whether it was started is not known.
        """
        found = await self._deployed(event.agent)
        if found is None:
            raise NotStarted(f"{event.agent!r} is not deployed any more.")
        asked, tags = self._wanted(found, event)
        try:
            if not await self._sensor_on(found):
                raise NotStarted(f"The sensor of {event.agent!r} is switched off.")
            if asked.partition is None and await self._begun(found, event, asked.input, tags):
                return
            launch = partial(self._launch, found, event, asked.input, tags)
            await asyncio.get_running_loop().run_in_executor(self._threads, launch)
        except RunError as problem:
            if _never_arrived(problem):
                raise NotStarted(str(problem)) from problem
            raise

    def close(self) -> None:
        """Gives back what it holds; nothing is started after."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._engine is not None:
            self._engine.close()

    def _wanted(self, found: Deployed, event: InboxEvent) -> tuple[EventRun, dict[str, str]]:
        """What the run is given, and all its tags."""
        try:
            asked = event_run(found.agent, event, self._environment)
        except AgentFlowError as problem:
            raise NotStarted(f"It cannot become an input: {problem}") from problem
        if asked.partition is not None and asked.partition.grows:
            raise NotStarted("Its partition may be new, which is the sensor's to add.")
        tags = {**asked.tags, **sensor_tags(found.agent.name, event)}
        if asked.partition is not None:
            tags.update(asked.partition.tags)
        return asked, tags

    def _launch(
        self, found: Deployed, event: InboxEvent, input_: JsonObject, tags: Mapping[str, str]
    ) -> None:
        """Starts it through Dagster's webserver."""
        run_id = self._client.launch(found.agent.name, input_, tags, location=found.location)
        self._inbox.settle({event.id: run_id})

    async def _begun(
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
            return (await self._engine.ask(begin)).done
        except NobodyListensError:
            return False

    async def _sensor_on(self, found: Deployed) -> bool:
        """Whether the agent's sensor is on; what was told a second ago holds."""
        sensor = (found.location, names.sensor_name(found.agent.name))
        asked = self._asked.get(sensor)
        if asked is None or asked.is_old():
            tell = partial(self._client.sensor_on, sensor[1], location=sensor[0])
            telling = asyncio.get_running_loop().run_in_executor(self._threads, tell)
            asked = self._asked[sensor] = _Asked(telling, time.monotonic())
        return await asyncio.shield(asked.telling)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What many want to know and one has asked."""

    telling: asyncio.Future[bool]
    at: float

    def is_old(self) -> bool:
        done = self.telling.done()
        failed = done and (self.telling.cancelled() or self.telling.exception() is not None)
        return failed or (done and time.monotonic() - self.at > SECONDS_KNOWN)


def _never_arrived(problem: RunError) -> bool:
    """Whether the webserver has said no, or was not reached at all."""
    import httpx

    return problem.__cause__ is None or isinstance(
        problem.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout
    )
