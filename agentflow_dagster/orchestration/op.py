"""The body of every op: one attempt of a step, or the replay of its ports in a partial run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from dagster import ExpectationResult, Failure, MetadataValue, Output

from agentflow_dagster.engine.step import Attempt, Services, StepResult, run_attempt
from agentflow_dagster.errors import CodeError, RunError
from agentflow_dagster.orchestration.names import HANDLED_ERROR_TAG
from agentflow_dagster.orchestration.source_run import INPUT, run_input, source_run
from agentflow_dagster.ports.stores import StepOutput
from agentflow_dagster.spec.values import preview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dagster import OpExecutionContext

    from agentflow_dagster.graph.plan import Plan, PlanStep
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.ports.stores import StepStore
    from agentflow_dagster.spec.kind import KindConfig
    from agentflow_dagster.spec.values import JsonObject


def op_body(
    plan: Plan, step: PlanStep, kinds: Mapping[str, Kind[KindConfig]]
) -> Callable[[OpExecutionContext, Any], Iterator[Any]]:
    """The function that Dagster calls for a step."""

    def compute(context: OpExecutionContext, inputs: Any) -> Iterator[Any]:
        del inputs  # Nothing but order comes that way.
        source = source_run(context, plan)
        steps: StepStore = context.resources.stores.open().steps
        if source is not None and step.name not in selected_nodes(context, plan):
            yield from _replay(context, step, steps, source)
            return
        given = run_input(context, plan, steps, source)
        before = dict(steps.all(source)) if source else {}
        outputs = {
            n: o for n, o in (before | dict(steps.all(context.run_id))).items() if n != INPUT
        }
        attempt = Attempt(context.run_id, context.retry_number + 1, given, outputs)
        services = Services(
            kinds=kinds,
            model=context.resources.model.adapter(),
            code=context.resources.code.adapter(),
            secrets=context.resources.secrets.adapter(),
            environment=context.resources.secrets.environment(),
        )
        try:
            done = asyncio.run(run_attempt(plan, step, attempt, services))
        except RunError as failure:
            yield from _failed(context, step, steps, failure)
            return
        yield from _finished(context, step, steps, done)

    compute.__annotations__.clear()  # Dagster checks them, and cannot read postponed ones.
    return compute


def selected_nodes(context: OpExecutionContext, plan: Plan) -> set[str]:
    """The nodes of this agent that were asked for."""
    return {
        key.path[1]
        for key in context.selected_asset_keys
        if len(key.path) == 2 and key.path[1] in {s.name for s in plan.steps}
    }


def _replay(
    context: OpExecutionContext, step: PlanStep, steps: StepStore, source: str
) -> Iterator[Any]:
    """Leaves by the port that the source run left by: no model, tool or person is asked."""
    stored = steps.get(source, step.name)
    if stored is None:
        context.log.info(f"{step.name!r} did not run in {source}; it is skipped here too.")
        return
    context.log.info(f"{step.name!r} is not selected: it goes the way of run {source}.")
    if stored.port in context.selected_output_names:
        yield Output(None, stored.port)


def _finished(
    context: OpExecutionContext, step: PlanStep, steps: StepStore, done: StepResult
) -> Iterator[Any]:
    if done.result is None:
        context.log.info(f"{step.name!r} is skipped: its `when` is false.")
        return
    if done.result.log:
        context.log.info(done.result.log)
    facts: JsonObject = {
        **done.figures(),
        "kind": step.node.kind,
        "attempts": context.retry_number + 1,
    }
    value = done.result.output
    steps.put(context.run_id, step.name, StepOutput(done.result.port, value, facts))
    if done.result.port not in context.selected_output_names:
        return
    metadata: dict[str, Any] = {}
    if step.asset:
        numbers = {k: v for k, v in facts.items() if k not in {"kind", "attempts"}}
        metadata = {**numbers, "preview": MetadataValue.md(f"```json\n{preview(value)}\n```")}
    yield Output(None, done.result.port, metadata=metadata)


def _failed(
    context: OpExecutionContext, step: PlanStep, steps: StepStore, failure: RunError
) -> Iterator[Any]:
    """Fails the attempt, or leaves by `error` once no attempt is left."""
    attempts = step.retry.max_attempts if step.retry else 1
    last = not failure.retryable or context.retry_number + 1 >= attempts
    described = _described(failure)
    if not step.handles_errors or not last:
        # Dagster would tell of retries used up, not of what went wrong, had it to stop them.
        raise Failure(str(failure), metadata=described, allow_retries=not last) from None
    context.log.error(f"{step.name!r} failed, and {step.node.on_error!r} takes it on: {failure}")
    told: JsonObject = {"message": str(failure), "type": type(failure).__name__}
    facts: JsonObject = {"kind": step.node.kind, "attempts": context.retry_number + 1}
    steps.put(context.run_id, step.name, StepOutput("error", cast("Any", told), facts))
    context.instance.add_run_tags(context.run_id, {HANDLED_ERROR_TAG: step.name})
    yield ExpectationResult(
        success=False, label="onError", description=str(failure), metadata=described
    )
    yield Output(None, "error", metadata={"error": str(failure)})


def _described(failure: RunError) -> dict[str, Any]:
    metadata: dict[str, Any] = {"error": type(failure).__name__}
    if failure.traceback:
        metadata["traceback"] = MetadataValue.md(f"```\n{failure.traceback}\n```")
    if isinstance(failure, CodeError) and failure.stdout:
        metadata["stdout"] = MetadataValue.md(f"```\n{failure.stdout}\n```")
    return metadata
