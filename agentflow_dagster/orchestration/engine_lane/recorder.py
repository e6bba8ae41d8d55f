"""One run's record: what becomes of its steps, in the events of Dagster's own executor."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dagster import AssetKey, DagsterRunStatus, Failure
from dagster._core.events import RunFailureReason
from dagster._core.execution.plan.inputs import FromMultipleSources
from dagster._core.execution.plan.outputs import StepOutputHandle
from dagster._core.storage.tags import RUN_FAILURE_REASON_TAG
from dagster_shared.utils.timing import format_duration

from agentflow_dagster.engine.spending import Spending
from agentflow_dagster.orchestration import names, shown, wiring
from agentflow_dagster.orchestration.assets import LEFT, asset_output
from agentflow_dagster.orchestration.engine_lane.forms import metadata_text
from agentflow_dagster.orchestration.engine_lane.rows import EventRow, Made, RunChange
from agentflow_dagster.orchestration.engine_lane.run_clock import RunClock
from agentflow_dagster.orchestration.spent import spending_tags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dagster import DagsterEvent, DagsterRun

    from agentflow_dagster.engine.step import StepResult
    from agentflow_dagster.errors import RunError
    from agentflow_dagster.graph.plan import PlanStep
    from agentflow_dagster.orchestration.engine_lane.blueprint import Blueprint
    from agentflow_dagster.orchestration.engine_lane.forms import Form
    from agentflow_dagster.orchestration.engine_lane.run_texts import RunForm
    from agentflow_dagster.orchestration.engine_lane.writer import Writer
    from agentflow_dagster.ports.stores import StepOutput
    from agentflow_dagster.ports.waits import Wait


@dataclass(frozen=True, slots=True)
class Past:
    """What a run has come to under an engine that is gone.

    Args:
        outputs: What its steps left, by node.
        attempts: How often each step was begun, by its key.
        succeeded, skipped: Keys of steps that Dagster knows to have done so.
        failed: How steps failed for good, by their key.
        made: The assets that it has made.
        waits: What it has waited for, or waits for.
        last_at: When something was last recorded of it (Unix seconds).
    """

    outputs: Mapping[str, StepOutput] = field(default_factory=dict[str, "StepOutput"])
    attempts: Mapping[str, int] = field(default_factory=dict[str, int])
    succeeded: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    failed: Mapping[str, DagsterEvent] = field(default_factory=dict[str, "DagsterEvent"])
    made: Mapping[AssetKey, Made] = field(default_factory=dict["AssetKey", Made])
    waits: Sequence[Wait] = ()
    last_at: float = 0.0

    def waiting(self) -> frozenset[str]:
        """The nodes that have begun to wait."""
        return frozenset(wait.path.partition("[")[0].partition(".")[0] for wait in self.waits)

    def ended(self) -> frozenset[str]:
        """Keys of steps that are over."""
        return self.succeeded | self.skipped | self.failed.keys()


_NOT_LAUNCHED = frozenset(
    {DagsterRunStatus.NOT_STARTED, DagsterRunStatus.QUEUED, DagsterRunStatus.MANAGED}
)


class RunRecorder:
    """Tells Dagster of one run; what it is told goes into the group that is committed next.

    Args:
        made: The version.
        run: The run, not started.
        writer: Commits it.
    """

    def __init__(self, made: Blueprint, run: DagsterRun, writer: Writer) -> None:
        self.run = run
        self._made = made
        self._events = made.events
        self._writer = writer
        self._run_id = json.dumps(run.run_id)
        self._outputs: set[StepOutputHandle] = set()
        self._done: set[str] = set()
        self._failed: dict[str, DagsterEvent] = {}
        self._lost: set[str] = set()
        self._lost_before: set[str] = set()
        self._handled: list[str] = []
        self._began: dict[str, float] = {}
        self._assets_made: dict[AssetKey, Made] = {}
        self._past = Past()
        self._form: RunForm | None = None
        self._started = time.perf_counter()
        self._clock = RunClock()
        self.spending = Spending()

    def start(self, *, new: bool) -> None:
        """The run begins; `new` says that Dagster does not know of it yet."""
        started = self.run.with_status(DagsterRunStatus.STARTED)
        self._form = self._made.form if new else None
        for form in self._events.planned if new else ():
            self._tell(form)
        if self.run.status in _NOT_LAUNCHED:
            self._tell(self._events.run_starting())
        self._change(started, before=None if new else self.run, started_at=self._clock.now())
        self._writer.group.begun.append(self.run.run_id)
        self._tell(self._events.run_started())
        self._tell(self._events.executing())
        start = self._key(wiring.START)
        if start in self._made.steps:
            self._began[start] = time.perf_counter()
            self._tell(self._events.started(start))
            self._leave(start, "result", "[]")
            self._success(start)

    def resume(self, past: Past) -> None:
        """The run goes on that another engine had begun."""
        self._past, self._clock = past, RunClock(not_before=past.last_at)
        self._failed = dict(past.failed)
        for step in self._made.compiled.plan.steps:
            key, left = self._key(step.name), past.outputs.get(step.name)
            if left is None:
                continue
            self._done.add(key)
            by = {names.allowed(left.port), *([LEFT] if step.name in self._made.assets else [])}
            awaited = self._made.outputs[key]
            self._outputs |= {StepOutputHandle(key, name) for name in by & awaited}
            if left.port == "error" and step.handles_errors:
                self._handled.append(step.name)
        start = self._key(wiring.START)
        if start in self._made.steps:
            self._outputs.add(StepOutputHandle(start, "result"))
            self._done.add(start)
        self._assets_made = dict(past.made)
        if self.run.status == DagsterRunStatus.SUSPENDED:
            self._tell(self._events.run_resumed())
            self._change(self.run.with_status(DagsterRunStatus.STARTED), before=self.run)
            self._writer.group.begun.append(self.run.run_id)
        else:
            self._tell(self._events.resumed())
        self._writer.wake()

    def suspended(self, told: str) -> None:
        """All that is left of the run waits: the engine owes it nothing until there is an answer.

        Args:
            told: What for, to be read by people.
        """
        self._tell(self._events.run_suspended(told))
        self._change(self.run.with_status(DagsterRunStatus.SUSPENDED), before=self.run)
        self._writer.group.ended.append(self.run.run_id)

    def had_failed(self, step: PlanStep) -> bool:
        return self._key(step.name) in self._past.failed

    def put_away(self, past: Past) -> None:
        """The run is suspended, and not to go on: what waits in it is told of when it ends."""
        self._past, self._clock = past, RunClock(not_before=past.last_at)
        for node in sorted(past.waiting() - past.outputs.keys()):
            self._began[self._key(node)] = time.perf_counter()

    def passed_over(self, step: PlanStep) -> None:
        key = self._key(step.name)
        if key in self._past.skipped:
            self._done.add(key)
            return
        if missing := self._skipped_for(key):
            told = f"Skipping step {key} due to skipped dependencies: {missing}."
            self._tell(self._events.line(key, told))
            self._tell(self._events.skipped(key))
            self._done.add(key)
            return
        steps: Mapping[str, Any] = self._made.steps
        inputs = [set[str](given.dependency_keys) for given in steps[key].step_inputs]
        failed = [name for given in inputs for name in given & self._failed.keys()]
        lost = [name for given in inputs for name in given & self._lost]
        self._lost.add(key)
        if set[str]().union(*inputs) <= self._past.ended() | self._lost_before:
            self._lost_before.add(key)  # It was told when the last of these was over.
            return
        why = f" failed: {failed}" if failed else ""
        why += f" were not executed: {lost}" if lost else ""
        told = f"Dependencies for step {key}{why}. Not executing."
        self._tell(self._events.line(key, told, level=logging.ERROR))

    def began(self, step: PlanStep, attempt: int) -> None:
        key = self._key(step.name)
        self._began[key] = time.perf_counter()
        if key in self._past.succeeded:
            return  # Its `when` had skipped it, which is not kept.
        if attempt == 1 and step.name in self._past.waiting():
            return  # It goes on from where it waited.
        before = self._past.attempts.get(key, 0) + attempt - 1
        self._tell(self._events.restarted(key, before) if before else self._events.started(key))
        self._writer.wake()

    def told(self, step: PlanStep, line: str) -> None:
        self._tell(self._events.line(self._key(step.name), line))
        self._writer.wake()

    def again(self, step: PlanStep, attempt: int, failure: RunError, delay: float) -> None:
        self._tell(self._events.again(self._key(step.name), attempt, failure, delay))
        self._writer.wake()

    def finished(self, step: PlanStep, attempt: int, done: StepResult) -> None:
        key = self._key(step.name)
        if key in self._past.succeeded:
            self._began.pop(key)
            self._done.add(key)
            return
        if done.result is None:
            self._tell(self._events.line(key, shown.skipped(step)))
        else:
            if done.result.log:
                self._tell(self._events.line(key, done.result.log))
            metadata = metadata_text(shown.metadata(step, done, self.run.tags))
            self._leave_by(key, step, done.result.port, metadata)
        self._success(key)

    def handled(self, step: PlanStep, attempt: int, failure: RunError) -> None:
        key = self._key(step.name)
        self._tell(self._events.line(key, shown.taken_on(step, failure), level=logging.ERROR))
        self._tell(self._events.expectation(key, failure))
        self._leave_by(key, step, "error", metadata_text({"error": str(failure)}))
        self._handled.append(step.name)
        self._success(key)

    def failed(self, step: PlanStep, attempt: int, failure: RunError) -> None:
        self._step_failed(step, shown.failure(failure, last=True))

    def refused(self, step: PlanStep, reason: str) -> None:
        """It cannot begin: the run's input does not meet the agent's schema."""
        self.began(step, 1)
        self._step_failed(step, Failure(reason, allow_retries=False))

    def finish(self) -> None:
        """The run is over."""
        took = (time.perf_counter() - self._started) * 1000
        self._tell(self._events.executed(), took=format_duration(took))
        if self._failed:
            keys = [key for key in self._made.steps if key in self._failed]
            self._tell(self._events.run_failed(keys, self._failed[keys[0]]))
            self._end(DagsterRunStatus.FAILURE, RunFailureReason.STEP_FAILURE)
        else:
            self._tell(self._events.run_succeeded())
            self._end(DagsterRunStatus.SUCCESS)

    def broken(self, problem: BaseException) -> None:
        """The engine itself cannot go on with the run."""
        self._tell(self._events.run_broken(problem))
        self._end(DagsterRunStatus.FAILURE)

    def canceled(self) -> None:
        """The run was stopped at somebody's request."""
        for key in list(self._began):
            form, event = self._events.interrupted(key)
            self._failed[key] = event
            self._tell(form)
        self._tell(self._events.run_canceled())
        self._end(DagsterRunStatus.CANCELED)

    def _tell(self, form: Form, **holes: str) -> None:
        at = self._clock.now()
        text = form.filled(run_id=self._run_id, at=repr(at), **holes)
        self._writer.group.events.append(EventRow(self.run.run_id, at, form, text))

    def _key(self, node: str) -> str:
        return names.step_key(self._made.compiled.plan.agent.name, node)

    def _end(self, status: DagsterRunStatus, reason: RunFailureReason | None = None) -> None:
        before, tags = self.run, dict(self.run.tags)
        tags |= spending_tags(self.spending)
        if self._handled:
            plan = self._made.compiled.plan
            tags[names.HANDLED_ERROR_TAG] = names.names_in_order(plan, self._handled)
        if reason is not None:
            tags[RUN_FAILURE_REASON_TAG] = reason.value
        added = {name: it for name, it in tags.items() if before.tags.get(name) != it}
        after = before.with_tags(tags) if added else before
        self._change(after.with_status(status), before=before, ended_at=self._clock.now())
        self._writer.group.ended.append(before.run_id)
        if self._made.compiled.plan.waits:
            self._writer.group.waits.over.append(before.run_id)
        self._writer.group.tags += [(before.run_id, *tag) for tag in added.items()]

    def _change(self, after: DagsterRun, *, before: DagsterRun | None, **times: float) -> None:
        self._writer.group.change(RunChange(before, after, form=self._form, **times))
        self.run = after

    def _step_failed(self, step: PlanStep, problem: Failure) -> None:
        key = self._key(step.name)
        form, self._failed[key] = self._events.failed(key, problem)
        self._tell(form)
        self._began.pop(key, None)
        self._writer.wake()

    def _success(self, key: str) -> None:
        took = (time.perf_counter() - self._began.pop(key)) * 1000
        form = self._events.succeeded(key)
        self._tell(form, took=format_duration(took), duration=repr(took))
        self._done.add(key)
        self._writer.wake()

    def _leave_by(self, key: str, step: PlanStep, port: str, metadata: str) -> None:
        by = asset_output(step) if step.name in self._made.assets else None
        awaited = self._made.outputs[key]
        if (name := names.allowed(port)) in awaited:
            self._leave(key, name, metadata)
            if port == by:
                self._make(key, step, metadata)
        if by == LEFT and LEFT in awaited:
            told = metadata_text({"port": port})
            self._leave(key, LEFT, told)
            self._make(key, step, told)

    def _leave(self, key: str, output: str, metadata: str) -> None:
        self._tell(self._events.output(key, output), metadata=metadata)
        self._outputs.add(StepOutputHandle(key, output))

    def _make(self, key: str, step: PlanStep, metadata: str) -> None:
        asset, parents = self._made.assets[step.name]
        at = self._clock.now()
        row = Made(
            *(self.run.run_id, at, self._events.made(key, asset), ""),
            parents={parent: self._assets_made.get(parent) for parent in parents},
            code_version=step.code_version,
            holes={"run_id": self._run_id, "at": repr(at), "metadata": metadata},
        )
        self._writer.group.events.append(row)
        self._assets_made[asset] = row

    def _skipped_for(self, key: str) -> list[str]:
        """The outputs for whose absence Dagster skips a step."""
        steps: Mapping[str, Any] = self._made.steps
        for given in steps[key].step_inputs:
            handles = given.get_step_output_handle_dependencies()
            missing = [h for h in handles if h.step_key in self._done and h not in self._outputs]
            alone = not isinstance(given.source, FromMultipleSources)
            if missing and (alone or len(missing) == len(handles)):
                return [f"{h.step_key}.{h.output_name}" for h in missing]
        return []
