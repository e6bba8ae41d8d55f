"""A front door in a process of its own, that may be told at which point it is to die."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from agentflow_dagster.errors import RunError
from agentflow_dagster.gateway.app import Settings, create_app
from agentflow_dagster.gateway.server import http_server
from agentflow_dagster.orchestration.direct_start import Deployed, EventStarter
from agentflow_dagster.orchestration.engine_lane.asking import BeginRun, EngineLines
from agentflow_dagster.orchestration.names import location_name
from agentflow_dagster.stores import Stores, open_stores
from agentflow_dagster.stores.inbox import PostgresInbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.gateway.webhooks import Routes
    from agentflow_dagster.orchestration.client import DagsterClient

TOKEN = "the-token-of-these-tests"
HOST = "127.0.0.1"


@dataclass(frozen=True)
class FrontDoorDeath:
    """A point at which the front door dies.

    Args:
        when: Before or after it.
        what: Calls are committed; the engine is asked for a run, and has begun it.
        number: Of such, counted from 1.
    """

    when: Literal["before", "after"]
    what: Literal["accepted", "begun"]
    number: int = 1

    def __str__(self) -> str:
        return f"{self.when} {self.what} {self.number}"


@dataclass(frozen=True)
class Place:
    """Where a front door stands.

    Args:
        url: The database.
        artifacts: Where large values go.
        engine: Where the engine listens.
        port: Where it listens itself.
        variables: What `{{env.…}}` reads.
        death: Where it dies, if it does.
    """

    url: str
    artifacts: str
    engine: str
    port: int
    variables: Mapping[str, str]
    death: FrontDoorDeath | None


class _Webserver:
    """Dagster's, as far as it is asked here: sensors are on, and it launches nothing."""

    def sensor_on(self, name: str, *, location: str) -> bool:
        del name, location
        return True

    def launch(self, *_: object, **__: object) -> str:
        raise RunError("It launches nothing.")


def main(place: Place) -> None:
    """Serves until it is killed."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if place.death is not None:
        _die_at(place.death)

    def starter(stores: Stores, routes: Routes) -> EventStarter:
        async def deployed(agent: str) -> Deployed | None:
            found = (await routes.live()).agents.get(agent)
            return found and Deployed(found.agent, found.version, location_name(found.location))

        client, engine = cast("DagsterClient", _Webserver()), EngineLines(place.engine)
        return EventStarter(client, stores.inbox, deployed, place.variables, engine=engine)

    opening = partial(open_stores, place.url, Path(place.artifacts))
    settings = Settings(opening, "local", TOKEN, place.variables, starter)
    http_server(create_app(settings), host=HOST, port=place.port).run()


def _die_at(death: FrontDoorDeath) -> None:
    left = [death.number]

    def reached(when: str, what: str) -> None:
        if (when, what) == (death.when, death.what):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    add_all, ask = PostgresInbox.add_all, EngineLines.ask

    def add_and_die(self: PostgresInbox, *given: Any, **how: Any) -> Any:
        reached("before", "accepted")
        added = add_all(self, *given, **how)
        reached("after", "accepted")
        return added

    async def ask_and_die(self: EngineLines, request: Any) -> Any:
        if not isinstance(request, BeginRun):
            return await ask(self, request)
        reached("before", "begun")
        told = await ask(self, request)
        reached("after", "begun")
        return told

    PostgresInbox.add_all, EngineLines.ask = add_and_die, ask_and_die
