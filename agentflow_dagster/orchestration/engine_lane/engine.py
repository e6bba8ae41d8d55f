"""The engine: the runs that this process carries out, and how they begin and end."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from dagster import DagsterRunStatus
from sqlalchemy.exc import DBAPIError

from agentflow_dagster.errors import RunError, StoreError, UsageError
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.engine_lane.blueprint import blueprint
from agentflow_dagster.orchestration.engine_lane.past import past_of
from agentflow_dagster.orchestration.engine_lane.runs import Desk, Execution
from agentflow_dagster.orchestration.engine_lane.storing import EventTakenError, RunOverError
from agentflow_dagster.orchestration.lanes import is_the_engines
from agentflow_dagster.orchestration.putting_away import wake
from agentflow_dagster.orchestration.run_config import given_config
from agentflow_dagster.ports.stores import VersionHash

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from dagster import DagsterInstance, DagsterRun

    from agentflow_dagster.engine.step import Services
    from agentflow_dagster.orchestration.compile import CompiledAgent
    from agentflow_dagster.orchestration.engine_lane.asking import BeginRun
    from agentflow_dagster.orchestration.engine_lane.blueprint import Blueprint
    from agentflow_dagster.orchestration.engine_lane.recorder import Past
    from agentflow_dagster.ports.stores import Version, VersionStore
    from agentflow_dagster.spec.values import JsonObject
    from agentflow_dagster.stores.wait_rows import Answered

_MOST_BLUEPRINTS = 500
MOST_RUNS = 20_000
_MOST_WAITS = 100_000
"""Of one run that are read back."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where versions are made ready to run.

    Args:
        instance: Where runs are recorded.
        versions: The stored versions.
        compile: Checks and compiles one.
        resources: `RUN_RESOURCES`, by key.
    """

    instance: DagsterInstance
    versions: VersionStore
    compile: Callable[[Version], CompiledAgent]
    resources: Mapping[str, object]

    def blueprint(self, hash_: str, *, location: str = names.LOCATION) -> Blueprint:
        """A version, ready to run; takes a tenth of a second.

        Raises:
            UsageError: there is no such version.
            DocumentError: this release cannot read it.
        """
        version = self.versions.get(VersionHash(hash_))
        if version is None:
            raise UsageError(f"There is no version {hash_!r}.")
        compiled = self.compile(version)
        return blueprint(compiled, self.resources, self.instance, location=location)


class Engine:
    """Carries out runs, thousands at a time.

    Args:
        desk: What runs work with.
        workshop: Where versions are made ready.
        most: Most runs at a time, of all agents; more wait in Dagster's queue.
    """

    def __init__(self, desk: Desk, workshop: Workshop, *, most: int = MOST_RUNS) -> None:
        self._desk = desk
        self._most = most
        self._workshop = workshop
        self._blueprints: dict[tuple[str, str], asyncio.Task[Blueprint]] = {}
        self._starting: dict[str, asyncio.Task[bool]] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._executions: dict[str, Execution] = {}
        self._going_on: dict[str, asyncio.Task[bool]] = {}
        self._leaving = False
        self._under_way: Counter[str] = Counter()

    @property
    def running(self) -> int:
        """How many runs are under way."""
        return len(self._runs)

    def work_with(self, services: Services) -> None:
        """Gives the runs that begin from now on other adapters."""
        self._desk = replace(self._desk, services=services)

    async def start(self, run_id: str, *, if_room: bool = False) -> bool:
        """Begins a run that Dagster has created; returns once its start is committed.

        Args:
            run_id: Dagster's.
            if_room: Only where its agent has fewer runs under way here than it may have; False is
                the answer where it has not.

        Raises:
            UsageError: it is none that can begin here.
        """
        starting = self._starting.get(run_id)
        if starting is None:
            if run_id in self._runs:
                return True
            work = self._start(run_id, if_room=if_room)
            starting = self._starting[run_id] = asyncio.create_task(work)
            starting.add_done_callback(lambda _: self._starting.pop(run_id))
        return await asyncio.shield(starting)

    async def _start(self, run_id: str, *, if_room: bool) -> bool:
        run = await asyncio.to_thread(self._workshop.instance.get_run_by_id, run_id)
        if run is None:
            raise UsageError(f"There is no run {run_id!r}.")
        if run.is_finished or run.status == DagsterRunStatus.STARTED:
            raise UsageError(f"Run {run_id} is {run.status.value}.")
        agent = run.tags[names.AGENT_TAG]
        given = cast("JsonObject", given_config(run, agent).get("input") or {})
        made = await self._blueprint_of(run)
        if if_room and not self._has_room(agent, made):
            return False
        await self._begin(made, run, given, new=False)
        return True

    async def begin(self, asked: BeginRun) -> bool:
        """Makes the run of an accepted event and begins it; returns once both are committed.

        False where the engine does not carry out runs of that agent, or there is no room.

        Raises:
            UsageError: there is no such version, or the event has its run.
        """
        given = cast("JsonObject", asked.input)
        made = await self._blueprint(asked.version, asked.location)
        agent = made.compiled.plan.agent.name
        if names.ENGINE_TAG not in made.run.tags or not self._has_room(agent, made):
            return False
        run = made.new_run(given, asked.tags)
        await self._begin(made, run, given, new=True, event_id=asked.event_id)
        return True

    def _has_room(self, agent: str, made: Blueprint) -> bool:
        full = len(self._runs) >= self._most
        return not full and self._under_way[agent] < made.most_at_once

    async def ended(self, run_id: str) -> None:
        """Waits until a run of this engine is over; returns at once where it is none."""
        if (task := self._runs.get(run_id)) is not None:
            await asyncio.wait([task])

    async def cancel(self, run_id: str) -> bool:
        """Stops a run and waits until that is recorded; False where it is none of this engine."""
        going_on = self._going_on.get(run_id)
        if going_on is not None:
            await asyncio.wait([going_on])
        task = self._runs.get(run_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        # Also where it was just being put away. No answer is to come between.
        canceling = self._going_on[run_id] = asyncio.create_task(self._cancel_suspended(run_id))
        canceling.add_done_callback(lambda _: self._going_on.pop(run_id))
        return await asyncio.shield(canceling) or task is not None

    async def deliver(self, answered: Answered) -> bool:
        """Hands on an answer that a run waits for, which goes on where it was suspended; False
        where it cannot be told yet.

        Raises:
            StoreError: the database is away.
            RunError: the run has a process of its own, for which nobody can be asked.
        """
        run_id = answered.run_id
        if run_id in self._runs:
            waiting = self._executions.get(run_id)
            return waiting is not None and waiting.deliver(answered)
        if run_id in self._going_on:
            return False
        going_on = self._going_on[run_id] = asyncio.create_task(self._wake(run_id))
        going_on.add_done_callback(lambda _: self._going_on.pop(run_id))
        return await asyncio.shield(going_on)

    async def _wake(self, run_id: str) -> bool:
        """Goes on with a run that is suspended, or has it go on where it is carried out; False
        where that cannot be yet."""
        run = await self._recorded(run_id)
        if run is None or run.is_finished or is_the_engines(run):
            await self.resume(run_id, known=run)
            return True
        return await asyncio.to_thread(wake, run, self._desk.waits)

    async def _cancel_suspended(self, run_id: str) -> bool:
        """Cancels a run of the engine's that nobody has in memory, because it waits."""
        run = await self._recorded(run_id)
        if run is None or run.is_finished or not is_the_engines(run):
            return False
        past = await self._past(run_id)
        if not past.waits:
            return False
        made = await self._blueprint_of(run)
        await self._execution(made, run).cancel(past)
        return True

    async def _past(self, run_id: str) -> Past:
        desk, instance = self._desk, self._workshop.instance
        waits = partial(desk.waits.waits, run_id=run_id, open_only=False, limit=_MOST_WAITS)
        waited = await asyncio.to_thread(waits)
        return await asyncio.to_thread(past_of, instance, desk.steps, run_id, waited)

    async def resume(self, run_id: str, *, known: DagsterRun | None = None) -> bool:
        """Goes on with a run that another engine had begun; False where it has ended, or cannot go
        on, and so has failed.

        Args:
            run_id: The run.
            known: What is recorded of it, if that has just been read.

        Raises:
            StoreError: the database is away.
        """
        try:
            return await self._resume(run_id, known)
        except (StoreError, DBAPIError):
            raise
        except Exception as problem:  # noqa: BLE001 - it must not keep the others from going on
            _log.exception("Run %s cannot go on.", run_id)
            await asyncio.to_thread(self._give_up, run_id, problem)
            self._owes_no_more(run_id)
            return False

    def _give_up(self, run_id: str, problem: Exception) -> None:
        instance = self._workshop.instance
        if (run := instance.get_run_by_id(run_id)) is not None and not run.is_finished:
            instance.report_run_failed(run, f"The next engine could not go on with it: {problem}")

    def _owes_no_more(self, run_id: str) -> None:
        self._desk.writer.group.ended.append(run_id)
        self._desk.writer.group.waits.over.append(run_id)
        self._desk.writer.wake()

    async def _recorded(self, run_id: str) -> DagsterRun | None:
        return await asyncio.to_thread(self._workshop.instance.get_run_by_id, run_id)

    async def _resume(self, run_id: str, known: DagsterRun | None) -> bool:
        run = known or await self._recorded(run_id)
        if run is None or run.is_finished:
            self._owes_no_more(run_id)
            return False
        past = await self._past(run_id)
        if names.INPUT not in past.outputs:
            raise RunError(f"The input of run {run_id} is gone.")
        made = await self._blueprint_of(run)
        execution = self._execution(made, run)
        task = self._track(run, execution, execution.resume(past))
        if run.status == DagsterRunStatus.CANCELING:
            await asyncio.sleep(0)
            task.cancel()
        return True

    async def close(self) -> None:
        """Leaves all runs as they are; who resumes them finds what is committed."""
        self._leaving = True
        tasks = list(self._runs.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _begin(
        self,
        made: Blueprint,
        run: DagsterRun,
        given: JsonObject,
        *,
        new: bool,
        event_id: int | None = None,
    ) -> None:
        await self._desk.writer.turn()
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        execution = self._execution(made, run)
        work = execution.begin(given, new=new, event_id=event_id, started=started)
        task = self._track(run, execution, work)
        await asyncio.wait([started, task], return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            task.result()

    def _track(
        self, run: DagsterRun, execution: Execution, work: Coroutine[Any, Any, None]
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"run {run.run_id}")
        self._runs[run.run_id] = task
        self._executions[run.run_id] = execution
        self._under_way[run.tags[names.AGENT_TAG]] += 1
        task.add_done_callback(lambda _: self._ended(run))
        return task

    def _execution(self, made: Blueprint, run: DagsterRun) -> Execution:
        return Execution(self._desk, made, run, left=lambda: self._leaving)

    def _ended(self, run: DagsterRun) -> None:
        task = self._runs.pop(run.run_id)
        del self._executions[run.run_id]
        self._under_way[run.tags[names.AGENT_TAG]] -= 1
        problem = None if task.cancelled() else task.exception()
        if problem is not None and not isinstance(problem, EventTakenError | RunOverError):
            _log.error("Run %s cannot go on: %s", run.run_id, problem, exc_info=problem)

    async def make_ready(self, version: str, location: str) -> None:
        """Makes a version ready, so that its first run need not wait for that.

        Args:
            version: Its hash.
            location: The name of the code location that serves it.
        """
        await self._blueprint(version, location)

    async def _blueprint_of(self, run: DagsterRun) -> Blueprint:
        origin = run.remote_job_origin
        location = origin.location_name if origin else names.LOCATION
        return await self._blueprint(run.tags[names.VERSION_TAG], location)

    async def _blueprint(self, hash_: str, location: str) -> Blueprint:
        key = (hash_, location)
        making = self._blueprints.get(key)
        if making is None:
            work = asyncio.to_thread(self._workshop.blueprint, hash_, location=location)
            making = self._blueprints[key] = asyncio.create_task(work)
            while len(self._blueprints) > _MOST_BLUEPRINTS:  # the one made first; its runs keep it
                self._blueprints.pop(next(iter(self._blueprints)))
        try:
            return await asyncio.shield(making)
        except Exception:
            self._blueprints.pop(key, None)  # Asked again, it may be made.
            raise
