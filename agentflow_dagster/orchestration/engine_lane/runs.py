"""Carries out a run in the engine lane."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from agentflow_dagster.engine.activity import Activity
from agentflow_dagster.engine.graph_run import run_graph
from agentflow_dagster.engine.step import Attempt
from agentflow_dagster.errors import UsageError
from agentflow_dagster.orchestration.engine_lane.recorder import Past, RunRecorder
from agentflow_dagster.orchestration.engine_lane.waiting import RunWaits
from agentflow_dagster.orchestration.names import INPUT
from agentflow_dagster.orchestration.op import hearing
from agentflow_dagster.ports.stores import StepOutput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dagster import DagsterRun

    from agentflow_dagster.engine.step import Services
    from agentflow_dagster.orchestration.engine_lane.blueprint import Blueprint
    from agentflow_dagster.orchestration.engine_lane.writer import Writer
    from agentflow_dagster.ports.waits import Wait, WaitStore
    from agentflow_dagster.spec.values import JsonObject, Value
    from agentflow_dagster.stores.live_texts import PostgresLiveTexts
    from agentflow_dagster.stores.steps import PostgresStepStore, StepRow
    from agentflow_dagster.stores.wait_rows import Answered


class GroupJournal:
    """Keeps what steps leave in the group that tells of their end.

    Args:
        run_id: The run.
        writer: Commits it.
        steps: Makes the rows.
        finished: What the run has left before, if it is resumed.
    """

    def __init__(
        self,
        run_id: str,
        writer: Writer,
        steps: PostgresStepStore,
        finished: Mapping[str, StepOutput],
    ) -> None:
        self._run_id = run_id
        self._writer = writer
        self._steps = steps
        self._finished = finished
        self._ready: dict[str, StepRow] = {}

    async def get(self, path: str) -> StepOutput | None:
        return self._finished.get(path)

    async def prepare(self, path: str, output: StepOutput) -> None:
        """Stores what is too large for a row."""
        self.ready(path, output)

    def ready(self, path: str, output: StepOutput) -> None:
        """Makes the row of an output, which is to be added next.

        Raises:
            StoreError: it is too large for a row, and there is no place for it.
        """
        self._ready[path] = self._steps.row(self._run_id, path, output)

    async def put(self, path: str, output: StepOutput) -> None:
        """Keeps an output, together with what the record was told before."""
        self.add(path, output)
        await self._writer.committed(self._run_id)

    def add(self, path: str, output: StepOutput) -> None:
        """Adds an output to the group; does not wait."""
        row = self._ready.pop(path, None) or self._steps.row(self._run_id, path, output)
        self._writer.group.outputs.append(row)


@dataclass(frozen=True, slots=True)
class Desk:
    """What runs of this process work with.

    Args:
        services: The adapters.
        writer: Commits what they record.
        steps: Where values are kept.
        waits: What runs wait for.
        texts: Tells what the models of watched runs say.
    """

    services: Services
    writer: Writer
    steps: PostgresStepStore
    waits: WaitStore
    texts: PostgresLiveTexts


class Execution:
    """Carries out one run; cancelling the awaiting task cancels the run.

    Args:
        desk: What it works with.
        made: The version.
        run: The run.
        left: Whether a cancelled task is to leave the run as it is, for another engine.
    """

    def __init__(
        self,
        desk: Desk,
        made: Blueprint,
        run: DagsterRun,
        *,
        left: Callable[[], bool] = lambda: False,
    ) -> None:
        self._desk = desk
        self._made = made
        self._run_id = run.run_id
        self._tags = run.tags
        self._left = left
        self._record = RunRecorder(made, run, desk.writer)
        self._waits: RunWaits | None = None
        self._told = ""

    async def begin(
        self,
        given: JsonObject,
        *,
        new: bool,
        event_id: int | None = None,
        started: asyncio.Future[None] | None = None,
    ) -> None:
        """Carries out a run that has not been started.

        Args:
            given: Its input.
            new: Whether Dagster does not know of the run yet.
            event_id: The accepted event whose run it is.
            started: Done once its start is committed; no step begins before.

        Raises:
            EventTakenError: the event has another run; there is nothing of this one.
        """
        journal = GroupJournal(self._run_id, self._desk.writer, self._desk.steps, {})
        input_ = self._take(journal, given, new=new, event_id=event_id)
        await self._committed()
        if started is not None:
            started.set_result(None)
        if input_ is not None:
            await self._carry_out(journal, input_)

    def _take(
        self, journal: GroupJournal, given: JsonObject, *, new: bool, event_id: int | None
    ) -> JsonObject | None:
        """Records that the run begins; its input, or None where it is refused.

        Raises:
            StoreError: the input cannot be kept; nothing is recorded.
        """
        try:
            input_ = self._made.takes.complete(given)
        except UsageError as problem:
            self._start(new=new, event_id=event_id)
            _refuse(self._record, self._made, problem)
            return None
        kept = StepOutput("result", cast("Value", input_))
        journal.ready(INPUT, kept)
        self._start(new=new, event_id=event_id)
        journal.add(INPUT, kept)
        return input_

    def _start(self, *, new: bool, event_id: int | None) -> None:
        if event_id is not None:
            self._desk.writer.group.taken[self._run_id] = event_id
        self._record.start(new=new)

    async def resume(self, past: Past) -> None:
        """Goes on with a run that another engine had begun: what has ended is not done again, what
        was under way is attempted again.

        Args:
            past: What it has come to.
        """
        self._record.resume(past)
        input_ = cast("JsonObject", past.outputs[INPUT].value)
        desk = self._desk
        journal = GroupJournal(self._run_id, desk.writer, desk.steps, past.outputs)
        await self._carry_out(journal, input_, past.waits, resumed=True)

    def deliver(self, answered: Answered) -> bool:
        """Hands an answer to the step that waits for it; False where none does."""
        return self._waits is not None and self._waits.deliver(answered)

    async def cancel(self, past: Past) -> None:
        """Cancels a run that is suspended.

        Args:
            past: What it has come to.
        """
        self._record.put_away(past)
        self._record.canceled()
        await self._committed()

    async def _carry_out(
        self,
        journal: GroupJournal,
        input_: JsonObject,
        waited: Sequence[Wait] = (),
        *,
        resumed: bool = False,
    ) -> None:
        plan = self._made.compiled.plan
        begin = Attempt.first(plan, input_, run_id=self._run_id, journal=journal)
        hear = hearing(self._desk.texts, self._run_id, self._tags)
        attempt = replace(begin, spending=self._record.spending, hear=hear)
        try:
            if resumed and (ledger := self._desk.services.ledger) is not None:
                await ledger.take_over(self._run_id)
                attempt.spending.before_usd = await ledger.spent_by(self._run_id)
            if not plan.waits:
                await self._run(attempt)
                self._record.finish()
            elif await self._run_or_rest(attempt, waited):
                self._record.finish()
            else:
                self._record.suspended(self._told)
        except asyncio.CancelledError:
            if not self._left():
                self._record.canceled()
                await self._committed()
            raise
        except Exception as problem:
            self._record.broken(problem)
            await self._committed()
            raise
        await self._committed()

    async def _run(self, attempt: Attempt) -> None:
        plan, services = self._made.compiled.plan, self._desk.services
        await run_graph(plan, plan.steps, attempt, services, recorder=self._record)

    async def _run_or_rest(self, attempt: Attempt, waited: Sequence[Wait]) -> bool:
        """Runs the steps until all have ended, or until those that are left wait and nothing more
        can be done; whether they have ended."""
        agent = self._made.compiled.plan.agent.name
        self._waits = waits = RunWaits(
            self._run_id, agent, self._desk.writer, waited, rules=self._desk.services.rules
        )
        activity = Activity()
        graph = asyncio.create_task(
            self._run(replace(attempt, waits=waits, activity=activity)), name=self._run_id
        )
        try:
            while not graph.done():
                rest = asyncio.create_task(activity.rest())
                await asyncio.wait([graph, rest], return_when=asyncio.FIRST_COMPLETED)
                rest.cancel()
                if graph.done() or not waits.idle:
                    continue
                self._told = waits.close()
                return False
            graph.result()
            return True
        finally:
            graph.cancel()
            await asyncio.wait([graph])

    async def _committed(self) -> None:
        await self._desk.writer.committed(self._run_id)


def _refuse(record: RunRecorder, made: Blueprint, problem: UsageError) -> None:
    """Fails the run at its first steps."""
    for step in made.compiled.plan.steps:
        if step.edges:
            record.passed_over(step)
        else:
            record.refused(step, str(problem))
    record.finish()
