"""The engine lane on a bench: the same agents and adapters, another way of running them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING

from agentflow_dagster.orchestration.engine_lane.answers import Answers
from agentflow_dagster.orchestration.engine_lane.engine import MOST_RUNS, Engine, Workshop
from agentflow_dagster.orchestration.engine_lane.runs import Desk
from agentflow_dagster.orchestration.engine_lane.writer import Writer
from agentflow_dagster.orchestration.location import compile_version
from agentflow_dagster.orchestration.op import step_services
from agentflow_dagster.stores.connection import connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from agentflow_dagster.stores.connection import Connection

    Connect = Callable[[str], Awaitable[Connection]]

    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Bench, Ran


@asynccontextmanager
async def engine(bench: Bench, *, most: int = MOST_RUNS) -> AsyncGenerator[Engine]:
    """An engine on the bench's database."""
    async with writing(bench) as writer, engine_with(bench, writer, most=most) as made:
        yield made


@asynccontextmanager
async def writing(bench: Bench, open_: Connect = connect) -> AsyncGenerator[Writer]:
    """A writer to the bench's database, at work."""
    writer = Writer(lambda: open_(bench.database_url))
    work = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        work.cancel()
        await asyncio.wait([work])


@asynccontextmanager
async def engine_with(
    bench: Bench, writer: Writer, *, most: int = MOST_RUNS
) -> AsyncGenerator[Engine]:
    """An engine whose runs a writer records."""
    services = step_services(
        SimpleNamespace(**bench.resources), bench.kinds, instance=bench.instance
    )
    workshop = Workshop(
        bench.instance,
        bench.stores.versions,
        lambda version: compile_version(version, bench.kinds),
        bench.resources,
    )
    made = Engine(
        Desk(services, writer, bench.stores.steps, bench.stores.waits, bench.stores.texts),
        workshop,
        most=most,
    )
    looking = asyncio.create_task(Answers(lambda: connect(bench.database_url), made.deliver).run())
    try:
        yield made
    finally:
        looking.cancel()
        await asyncio.wait([looking])
        await made.close()


def run(
    bench: Bench,
    agent: str,
    input_: JsonObject | None = None,
    *,
    tags: Mapping[str, str] | None = None,
) -> Ran:
    """Runs an agent's job from its beginning in the engine lane, created as Dagster creates it."""
    created = bench.prepare(agent, input_, tags=tags)

    async def carried_out() -> None:
        async with engine(bench) as lane:
            await lane.start(created.run_id)
            await lane.ended(created.run_id)

    asyncio.run(carried_out())
    return bench.ran(created.run_id)
