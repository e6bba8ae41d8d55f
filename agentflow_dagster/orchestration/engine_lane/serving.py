"""An engine put together, asked at its socket, for as long as a process has it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from dagster import DagsterInstance, build_resources

from agentflow_dagster.orchestration.engine_lane.answers import Answers
from agentflow_dagster.orchestration.engine_lane.engine import MOST_RUNS, Engine, Workshop
from agentflow_dagster.orchestration.engine_lane.place import Place
from agentflow_dagster.orchestration.engine_lane.readiness import Readiness
from agentflow_dagster.orchestration.engine_lane.runs import Desk
from agentflow_dagster.orchestration.engine_lane.server import listening
from agentflow_dagster.orchestration.engine_lane.writer import Writer
from agentflow_dagster.orchestration.location import compile_version
from agentflow_dagster.orchestration.op import step_models, step_services
from agentflow_dagster.stores.connection import connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from pathlib import Path

    from agentflow_dagster.engine.step import Services
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.spec.kind import KindConfig
    from agentflow_dagster.stores import Stores

MOST_VARIABLE = "AGENTFLOW_MOST_RUNS"
"""Most runs that the engine has at a time."""
_MUCH = 500_000
"""Objects that came and did not go: then garbage is looked for whoever waits."""
_LITTLE = 20_000
_FEW_RUNS = 50
_CALM_SECONDS = 10.0
_CURRENT_SECONDS = 3.0
"""Between two looks whether the project's models are others."""
_log = logging.getLogger(__name__)


@asynccontextmanager
async def serving(
    url: str,
    stores: Stores,
    kinds: Mapping[str, Kind[KindConfig]],
    resources: Mapping[str, object],
    *,
    socket: Path,
    environment: str,
) -> AsyncGenerator[Engine]:
    """Carries out runs; at the end of the block they are left as they are.

    Args:
        url: The database, Dagster's too (`DAGSTER_HOME` names that instance).
        stores: What is kept there.
        kinds: Every node kind known here.
        resources: `RUN_RESOURCES`, by key.
        socket: Where the engine is asked.
        environment: Whose agents are made ready before their first runs.
    """
    async with AsyncExitStack() as stack:
        instance = stack.enter_context(DagsterInstance.get())
        opened = stack.enter_context(build_resources(dict(resources), instance=instance))
        place = Place(url)
        writer = Writer(place.connect)
        owed = await place.take()
        keeping = asyncio.create_task(place.keep())
        stack.callback(keeping.cancel)
        writing = asyncio.create_task(writer.run())
        writing.add_done_callback(_end_without_writer)
        stack.callback(writing.cancel)
        services = step_services(opened, kinds, instance=instance)
        engine = Engine(
            Desk(services, writer, stores.steps, stores.waits, stores.texts),
            Workshop(instance, stores.versions, partial(compile_version, kinds=kinds), resources),
            most=_most_runs(os.environ),
        )
        stack.push_async_callback(engine.close)
        collect_seldom()
        await stack.enter_async_context(listening(engine, socket))
        for run_id in owed:
            await engine.resume(run_id)
        answers = asyncio.create_task(Answers(partial(connect, url), engine.deliver).run())
        stack.callback(answers.cancel)
        collecting = asyncio.create_task(_collect_when_calm(engine))
        stack.callback(collecting.cancel)
        ready = asyncio.create_task(
            Readiness(stores.versions, environment, engine.make_ready).run()
        )
        stack.callback(ready.cancel)
        current = asyncio.create_task(_keep_current(engine, services, opened, stores))
        stack.callback(current.cancel)
        yield engine


async def _keep_current(
    engine: Engine, services: Services, resources: object, stores: Stores
) -> None:
    """Has runs that begin from then on ask other models, where the project says so meanwhile. What
    cannot be read is told once, and changes nothing."""
    problem = ""
    while True:
        await asyncio.sleep(_CURRENT_SECONDS)
        try:
            given = (resources, stores, services.secrets)
            model, rules = await asyncio.to_thread(step_models, *given)
        except Exception as error:  # noqa: BLE001 - a project's resources may raise anything
            if str(error) != problem:
                problem = str(error)
                _log.warning("Runs go on with the models of before: %s", problem)
            continue
        problem = ""
        if model is not services.model or rules != services.rules:
            services = replace(services, model=model, rules=rules)
            engine.work_with(services)
            _log.info("Runs that begin now ask the models that the project says now.")


def _most_runs(variables: Mapping[str, str]) -> int:
    """What the environment says of it."""
    told = variables.get(MOST_VARIABLE, "")
    return int(told) if told.isdecimal() and int(told) else MOST_RUNS


def collect_seldom() -> None:
    """Has Python look for garbage seldom by itself: it walks over all that thousands of runs hold,
    and what runs leave behind is freed without it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_MUCH, 20, 50)


async def _collect_when_calm(engine: Engine) -> None:
    """Looks for garbage while few runs would wait for it."""
    while True:
        await asyncio.sleep(_CALM_SECONDS)
        if gc.get_count()[0] > _LITTLE and engine.running <= _FEW_RUNS:
            gc.collect(1)


def _end_without_writer(writing: asyncio.Task[None]) -> None:
    """Ends the process, which whoever watches over it starts again."""
    if not writing.cancelled() and (problem := writing.exception()) is not None:
        _log.error("The engine ends: %s", problem)
        signal.raise_signal(signal.SIGTERM)
