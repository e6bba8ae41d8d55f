"""Runs a graph of steps in this process, through ports: order, skips, retries, handled errors.

Dagster runs an agent's own graph; this runs what is inside one of its steps, and whole agents where
no Dagster is (tests in a document). Both keep to one meaning, which tests compare.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from agentflow_dagster.engine.failures import told
from agentflow_dagster.engine.reach import reaches
from agentflow_dagster.engine.recorder import NoRecorder
from agentflow_dagster.engine.spending import figures, usage_of
from agentflow_dagster.engine.step import run_attempt
from agentflow_dagster.engine.unknown import UnknownEnd
from agentflow_dagster.errors import RunError, StoreError
from agentflow_dagster.ports.stores import StepOutput
from agentflow_dagster.spec.units import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.engine.recorder import Recorder
    from agentflow_dagster.engine.step import Attempt, Services, StepResult
    from agentflow_dagster.graph.plan import Plan, PlanStep
    from agentflow_dagster.ports.model import Usage
    from agentflow_dagster.spec.document import Retry
    from agentflow_dagster.spec.values import JsonObject


@dataclass(frozen=True, slots=True)
class GraphRun:
    """A graph that was run to its end.

    Args:
        outputs: What its steps left, by node; steps that were skipped are not there.
        failures: Steps that failed for good, in the order in which they did.
        usage: One entry per model call, or per step that an earlier attempt had finished.
        runs: Ids of other runs that steps started.
    """

    outputs: Mapping[str, StepOutput]
    failures: Mapping[str, RunError]
    usage: tuple[Usage, ...]
    runs: tuple[str, ...]


async def run_graph(
    plan: Plan,
    steps: Sequence[PlanStep],
    begin: Attempt,
    services: Services,
    *,
    recorder: Recorder | None = None,
) -> GraphRun:
    """Runs steps, each as soon as what it waits for has finished; a failed one keeps the others,
    but for those that wait for it.

    Args:
        plan: The agent that they belong to.
        steps: In an order in which each comes after all it waits for.
        begin: What every attempt of them is given; its number and outputs do not count.
        services: The adapters.
        recorder: Told what becomes of each step, and how far it is; where there is none, whoever
            listens to `begin` is told how far they are.
    """
    progress = _Progress(plan, services, recorder or NoRecorder())
    begin = replace(begin, number=1, outputs=MappingProxyType(progress.outputs))
    order = _Order(steps)
    async with asyncio.TaskGroup() as group:

        async def one_after_the_other(ready: Sequence[PlanStep]) -> None:
            """Goes on with the first in this task: a step in a row needs none of its own."""
            while ready:
                step, *beside = ready
                for other in beside:
                    group.create_task(one_after_the_other([other]))
                await progress.run(step, begin)
                ready = order.done(step)

        await one_after_the_other(order.first)
    return GraphRun(
        progress.outputs, progress.failures, tuple(progress.usage), tuple(progress.runs)
    )


def retry_delay(retry: Retry, attempt: int) -> float:
    """Seconds between an attempt (1 for the first) and the next, as Dagster counts them."""
    factor = {"exponential": 2**attempt - 1, "linear": attempt, "fixed": 1}[retry.backoff]
    return seconds(retry.delay) * factor


class _Order:
    """Which steps may begin once others have finished."""

    def __init__(self, steps: Sequence[PlanStep]) -> None:
        before = {step.name: {edge.source for edge in step.edges} for step in steps}
        self._missing = {name: len(sources) for name, sources in before.items()}
        self._after: dict[str, list[PlanStep]] = {}
        for step in steps:
            for source in before[step.name]:
                self._after.setdefault(source, []).append(step)
        self.first = [step for step in steps if not before[step.name]]

    def done(self, step: PlanStep) -> list[PlanStep]:
        """The steps that waited for this one and no other any more."""
        freed: list[PlanStep] = []
        for after in self._after.pop(step.name, ()):
            self._missing[after.name] -= 1
            if not self._missing[after.name]:
                freed.append(after)
        return freed


class _Progress:
    """What the steps of one graph have come to."""

    def __init__(self, plan: Plan, services: Services, recorder: Recorder) -> None:
        self._plan = plan
        self._services = services
        self._recorder = recorder
        self._is_told = not isinstance(recorder, NoRecorder)
        self._lost: set[str] = set()
        self.outputs: dict[str, StepOutput] = {}
        self.failures: dict[str, RunError] = {}
        self.usage: list[Usage] = []
        self.runs: list[str] = []

    async def run(self, step: PlanStep, begin: Attempt) -> None:
        """Runs a step, those before it having finished, if control reaches it."""
        lost = any(edge.source in self._lost for edge in step.edges)
        if lost or not reaches(step, self.outputs):
            if lost and reaches(step, self.outputs, self._lost):
                self._lost.add(step.name)
            self._recorder.passed_over(step)
            return
        if self._recorder.had_failed(step):
            self._lost.add(step.name)
            return
        begin.activity.enter()
        try:
            found = await self._output(step, begin)
        finally:
            begin.activity.leave()
        if found is not None:
            self.outputs[step.name] = found

    async def _output(self, step: PlanStep, begin: Attempt) -> StepOutput | None:
        """What a step leaves, kept; None where it is skipped, or failed for good."""
        journal, path = begin.surroundings.journal, begin.surroundings.path + step.name
        found = await journal.get(path)
        if found is not None:
            self.usage += usage_of(found.facts)
            return found
        found = await self._attempts(step, begin)
        if found is not None:
            await journal.put(path, found)
        return found

    async def _attempts(self, step: PlanStep, begin: Attempt) -> StepOutput | None:
        """Attempts a step until it has an output; None where it is skipped, or failed for good."""
        number = 1
        if self._is_told:
            begin = replace(begin, tell=partial(self._recorder.told, step))
        unknown = UnknownEnd(step, begin)
        while True:
            self._recorder.began(step, number)
            try:
                if number == 1:
                    await unknown.before()
                attempt = begin if number == 1 else replace(begin, number=number)
                done = await run_attempt(self._plan, step, attempt, self._services)
                found = await _prepared(step, attempt, done)
            except RunError as failure:
                if failure.retryable and step.retry and number < step.retry.max_attempts:
                    delay = retry_delay(step.retry, number)
                    self._recorder.again(step, number, failure, delay)
                    await asyncio.sleep(delay)
                    number += 1
                    continue
                await unknown.after()
                failure.usage = begin.spending.taken(begin.surroundings.path + step.name)
                self.usage += failure.usage
                if step.handles_errors:
                    self._recorder.handled(step, number, failure)
                    facts: JsonObject = {
                        **figures(failure.usage),
                        "kind": step.node.kind,
                        "attempts": number,
                    }
                    return StepOutput("error", told(failure), facts)
                self._recorder.failed(step, number, failure)
                self.failures[step.name] = failure
                self._lost.add(step.name)
                return None
            self._recorder.finished(step, number, done)
            if done.result is None:
                await unknown.after()
                return None
            self.usage += done.result.usage
            self.runs += done.result.runs
            return found


async def _prepared(step: PlanStep, attempt: Attempt, done: StepResult) -> StepOutput | None:
    """What a step leaves, ready to be kept; None where it is skipped.

    Raises:
        RunError: it cannot be kept, and so has not come about.
    """
    if done.result is None:
        return None
    facts: JsonObject = {**done.figures, "kind": step.node.kind, "attempts": attempt.number}
    found = StepOutput(done.result.port, done.result.output, facts)
    around = attempt.surroundings
    try:
        await around.journal.prepare(around.path + step.name, found)
    except StoreError as problem:
        raise RunError(str(problem), retryable=False) from problem
    return found
