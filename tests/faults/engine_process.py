"""An engine in a process of its own, that may be told at which point it is to die.

What it does there is real: `SIGKILL` to itself, between a commit and what follows it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.orchestration.engine_lane import place, writer
from agentflow_dagster.orchestration.engine_lane import serving as serving_room
from agentflow_dagster.orchestration.engine_lane.serving import serving
from agentflow_dagster.orchestration.instance import DATABASE_VARIABLE
from agentflow_dagster.sandbox import ChildProcess
from agentflow_dagster.sources import ProjectSources
from agentflow_dagster.stores import open_stores
from agentflow_dagster.stores.artifacts import ArtifactFolder
from tests.orchestration.adapters import Adapter, Code, Models, OpenStores, ScriptedModel, Secrets

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from agentflow_dagster.orchestration.engine_lane.rows import Group
    from agentflow_dagster.stores.connection import Connection

What = Literal["begun", "output", "ended", "artifact"]


@dataclass(frozen=True)
class Death:
    """A point at which the engine dies.

    Args:
        when: Before or after the commit of a group (or the writing of an artifact).
        what: What the group has in it: runs that begin, outputs of steps, runs that end.
        number: Of such groups, counted from 1.
    """

    when: Literal["before", "after"]
    what: What
    number: int = 1

    def __str__(self) -> str:
        return f"{self.when} {self.what} {self.number}"


@dataclass(frozen=True)
class Settings:
    """What an engine is started with.

    Args:
        url: The database.
        dagster_home: Where its `dagster.yaml` is.
        artifacts: Where large values go.
        socket: Where it listens.
        variables: What `{{env.…}}` reads.
        death: Where it dies, if it does.
        lease_seconds: How long it may not tell that it lives; None has it as ever.
    """

    url: str
    dagster_home: str
    artifacts: str
    socket: str
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    death: Death | None = None
    lease_seconds: float | None = None


def main(settings: Settings) -> None:
    """Carries out runs until it is killed, or told to end."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ["DAGSTER_HOME"] = settings.dagster_home
    os.environ[DATABASE_VARIABLE] = settings.url
    if settings.death is not None:
        _die_at(settings.death)
    if settings.lease_seconds is not None:
        serving_room.Place = partial(place.Place, lease_seconds=settings.lease_seconds)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    socket = Path(settings.socket)
    with open_stores(settings.url, Path(settings.artifacts)) as stores:
        resources = {
            "model": Models(ScriptedModel()),
            "code": Code(ChildProcess()),
            "secrets": Secrets(variables=dict(settings.variables)),
            "sources": Adapter(ProjectSources(socket.parent)),
            "stores": OpenStores(stores),
        }
        kinds = builtin_kinds()
        async with serving(
            settings.url, stores, kinds, resources, socket=socket, environment="local"
        ):
            await asyncio.Event().wait()


def _die_at(death: Death) -> None:
    """Has this process die at a point, by what stands between the engine and the database."""
    left = [death.number]
    of_group: list[set[str]] = [set()]

    def reached(when: str, what: set[str]) -> None:
        if when == death.when and death.what in what:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    class Watched:
        def __init__(self, real: Connection) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        @asynccontextmanager
        async def transaction(self) -> AsyncGenerator[None]:
            async with self._real.transaction():
                yield
                reached("before", of_group[0])
            reached("after", of_group[0])

    connect, store, put = place.connect, writer.store, ArtifactFolder.put

    async def watched(url: str) -> Any:
        return Watched(await connect(url))

    async def noted(connection: Connection, group: Group) -> None:
        of_group[0] = _contents(group)
        await store(connection, group)

    def put_and_die(self: ArtifactFolder, data: bytes) -> str:
        reached("before", {"artifact"})
        digest = put(self, data)
        reached("after", {"artifact"})
        return digest

    place.connect, writer.store = watched, noted
    ArtifactFolder.put = put_and_die


def _contents(group: Group) -> set[str]:
    found = {"begun"} if group.begun else set[str]()
    if any(not row.names[1].startswith("$") for row in group.outputs):
        found.add("output")
    return found | ({"ended"} if group.ended else set())
