"""The body of every op: one attempt of a step, or the replay of its ports in a partial run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from dagster import DagsterEventType, Output

from agentflow_dagster.engine.activity import Activity
from agentflow_dagster.engine.failures import told
from agentflow_dagster.engine.spending import figures
from agentflow_dagster.engine.step import (
    Attempt,
    Services,
    StepResult,
    Surroundings,
)
from agentflow_dagster.engine.unknown import run_marked_attempt
from agentflow_dagster.errors import ChecksFailed, RunError
from agentflow_dagster.orchestration import checks, shown
from agentflow_dagster.orchestration.alerts_on_runs import tell_on_run
from agentflow_dagster.orchestration.assets import LEFT, asset_output
from agentflow_dagster.orchestration.cancellation import run_step
from agentflow_dagster.orchestration.child_runs import ChildRuns
from agentflow_dagster.orchestration.held_waits import HeldWaits
from agentflow_dagster.orchestration.names import (
    HANDLED_ERROR_TAG,
    LLM_TAG,
    MEMORY_TAG,
    PUBLIC_URL_VARIABLE,
    WATCHED_TAG,
    allowed,
    names_in_order,
)
from agentflow_dagster.orchestration.putting_away import give_up, may_give_up, until_at_rest
from agentflow_dagster.orchestration.source_run import ground
from agentflow_dagster.orchestration.spent import ancestors, tag_spending
from agentflow_dagster.orchestration.step_journal import StepJournal
from agentflow_dagster.ports.agents import NoAgents
from agentflow_dagster.ports.stores import StepOutput
from agentflow_dagster.spec.document import LLM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dagster import DagsterInstance, OpExecutionContext

    from agentflow_dagster.engine.redaction_rules import Rules
    from agentflow_dagster.graph.plan import Plan, PlanStep
    from agentflow_dagster.orchestration.child_runs import Peers
    from agentflow_dagster.orchestration.held_waits import HeldStore
    from agentflow_dagster.orchestration.source_run import Ground
    from agentflow_dagster.ports.agents import Agents
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.ports.model import Listener, Model
    from agentflow_dagster.ports.secrets import Secrets
    from agentflow_dagster.ports.stores import StepStore
    from agentflow_dagster.spec.kind import KindConfig
    from agentflow_dagster.spec.values import JsonObject
    from agentflow_dagster.stores import Stores
    from agentflow_dagster.stores.live_texts import PostgresLiveTexts


def unannotated(body: Callable[..., Iterator[object]]) -> Callable[..., Iterator[object]]:
    """Dagster checks annotations, and cannot read postponed ones."""
    body.__annotations__.clear()
    return body


def op_body(
    plan: Plan,
    step: PlanStep,
    kinds: Mapping[str, Kind[KindConfig]],
    run_tags: Mapping[str, str],
    *,
    peers: Peers,
) -> Callable[[OpExecutionContext, object], Iterator[object]]:
    """The function that Dagster calls for a step.

    Args:
        plan: The agent.
        step: One of its steps.
        kinds: Every node kind known here.
        run_tags: What every run of the agent is tagged with.
        peers: The agents that it can run.
    """
    nodes = tuple(plan.agent.spec.nodes)

    def compute(context: OpExecutionContext, inputs: object) -> Iterator[object]:
        del inputs  # Nothing but order comes that way.
        stores: Stores = context.resources.stores.open()
        steps: StepStore = stores.steps
        waits: HeldStore = stores.waits
        here = ground(context, plan, steps, run_tags)
        if step.name not in here.footing.does:
            yield from _replay(context, step, here)
            return
        if here.partial and not here.footing.reaches(step):
            context.log.info(f"{step.name!r} is skipped: the way to it was not taken.")
            return
        kind, rules = kinds[step.node.kind], _rules(context.resources)
        # How checks came out is not kept; what is checked is there, and may be checked again.
        if step.name in here.own and not kind.checks(step.node.with_):
            yield from _told_again(context, plan, step, here.own[step.name], rules)
            return
        held, activity = HeldWaits(waits, context.run_id, plan.agent.name, rules), Activity()
        attempt = Attempt(
            context.run_id,
            context.retry_number + 1,
            here.input,
            here.footing.outputs,
            Surroundings("", nodes, {}, StepJournal(steps, here.key, here.own)),
            here.partition,
            _llm(context.run.tags),
            _memory_bytes(context.run.tags),
            waits=held,
            activity=activity,
            tell=context.log.info,
            parents=ancestors(context.run.tags),
            hear=hearing(stores.texts, context.run_id, context.run.tags),
        )
        kept = _Kept(steps, here.key, step.name)
        if before := here.own.get(kept.attempts):
            attempt.spending.resume(step.name, before.facts)
        children = ChildRuns(context, peers)
        services = step_services(context.resources, kinds, children, instance=context.instance)
        work = run_marked_attempt(plan, step, attempt, services)
        if step.waits and may_give_up(context.run, context.instance):
            away = give_up(context.run, context.instance, waits)
            work = until_at_rest(work, activity, held, away)
        try:
            done = run_step(work)
        except RunError as failure:
            tag_spending(context.instance, context.run_id, attempt.spending, services.ledger)
            failure.usage = attempt.spending.taken(step.name)
            if isinstance(failure, ChecksFailed):
                yield from checks.results(context, plan, step, kind, failure.checks)
            if failure.usage:
                taken = attempt.spending.told(step.name)
                steps.put(here.key, kept.attempts, StepOutput("attempts", None, taken))
            yield from _failed(context, plan, step, kept, failure)
            return
        tag_spending(context.instance, context.run_id, attempt.spending, services.ledger)
        came_out = done.result.checks if done.result else ()
        yield from _finished(context, step, kept, done)
        yield from checks.results(context, plan, step, kind, came_out)

    return unannotated(compute)


def step_services(
    resources: object,
    kinds: Mapping[str, Kind[KindConfig]],
    agents: Agents | None = None,
    *,
    instance: DagsterInstance | None = None,
) -> Services:
    """What steps work with: the adapters that the project's resources hand out.

    Args:
        resources: `RUN_RESOURCES`, as attributes.
        kinds: Every node kind known here.
        agents: Runs other agents; None where no step may.
        instance: Has the runs on which alerts of budgets are told; None only logs them.
    """
    given = cast("Any", resources)
    stores: Stores = given.stores.open()
    if instance is not None:
        stores.ledger.on_alert = partial(tell_on_run, instance)
    secrets: Secrets = given.secrets.adapter()
    model, rules = step_models(resources, stores, secrets)
    return Services(
        kinds=kinds,
        model=model,
        code=given.code.adapter(),
        secrets=secrets,
        agents=agents or NoAgents(),
        notebooks=given.code.notebooks(),
        environment=given.secrets.environment(),
        data=given.code.data(),
        public_url=os.environ.get(PUBLIC_URL_VARIABLE, ""),
        ledger=stores.ledger,
        rules=rules,
    )


def step_models(resources: object, stores: Stores, secrets: Secrets) -> tuple[Model, Rules]:
    """The models that the project says now, and by which rules their data is shown; the same ones
    where it says the same as before."""
    return cast("Any", resources).model.adapter(stores, secrets), _rules(resources)


def hearing(
    texts: PostgresLiveTexts, run_id: str, tags: Mapping[str, str]
) -> Callable[[str], Listener | None]:
    """Gives who hears what the models of a run say, by the step's path: nobody, unless the run is
    watched."""
    watched = WATCHED_TAG in tags
    return lambda path: texts.ear(run_id, path) if watched else None


def _rules(resources: object) -> Rules:
    return cast("Any", resources).model.redaction()


@unannotated
def start_body(context: OpExecutionContext, inputs: object) -> Iterator[object]:
    """The body of the step that is there in every run."""
    del context, inputs
    yield Output(None)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The place of one step's output."""

    steps: StepStore
    key: str
    node: str

    def put(self, output: StepOutput) -> None:
        self.steps.put(self.key, self.node, output)

    @property
    def attempts(self) -> str:
        """The name by which is kept what attempts took that have failed."""
        return f"$attempts.{self.node}"


def _replay(context: OpExecutionContext, step: PlanStep, here: Ground) -> Iterator[Any]:
    """Leaves by the port that the source run left by: no model, tool or person is asked."""
    stands_in = here.footing.outputs.get(step.name)
    if stands_in is None:
        context.log.info(f"{step.name!r} is not selected, and did not run in the source run.")
        return
    context.log.info(f"{step.name!r} is not selected: it goes the way of the source run.")
    yield from _leave(context, stands_in.port)


def _told_again(
    context: OpExecutionContext, plan: Plan, step: PlanStep, own: StepOutput, rules: Rules
) -> Iterator[Any]:
    """Leaves as the step did whose process was gone before Dagster knew that it had ended; what it
    knows already is not told again."""
    context.log.info(f"{step.name!r} had ended when its process did; it is not done again.")
    if own.port == "error":
        _tag_handled(context, plan, step.name)
    known = _known_outputs(context, step)
    left = list(_leave(context, own.port, **shown.metadata_again(step, own, rules)))
    yield from (output for output in left if output.output_name not in known)


def _known_outputs(context: OpExecutionContext, step: PlanStep) -> set[str]:
    """The outputs of a step that Dagster has recorded, with the assets that they make."""
    kinds = {DagsterEventType.STEP_OUTPUT, DagsterEventType.ASSET_MATERIALIZATION}
    told = context.instance.all_logs(context.run_id, of_type=kinds)
    key = context.get_step_execution_context().step.key
    events = [entry.dagster_event for entry in told if entry.step_key == key]
    known = {e.step_output_data.output_name for e in events if e and e.is_successful_output}
    made = any(e and e.is_step_materialization for e in events)
    return known if made else known - {asset_output(step)}


def _leave(context: OpExecutionContext, port: str, **metadata: Any) -> Iterator[Any]:
    """Dagster refuses a port that nothing selected waits for."""
    name = allowed(port)
    if name in context.selected_output_names:
        yield Output(None, name, metadata=metadata)
    if LEFT in context.selected_output_names:
        yield Output(None, LEFT, metadata={"port": port})


def _finished(
    context: OpExecutionContext, step: PlanStep, kept: _Kept, done: StepResult
) -> Iterator[Any]:
    if done.result is None:
        context.log.info(shown.skipped(step))
        return
    if done.result.log:
        context.log.info(done.result.log)
    facts: JsonObject = {
        **done.figures,
        "kind": step.node.kind,
        "attempts": context.retry_number + 1,
    }
    if done.result.notebook:
        facts["notebook"] = done.result.notebook
    value = done.result.output
    kept.put(StepOutput(done.result.port, value, facts))
    metadata = shown.metadata(step, done, context.run.tags)
    yield from _leave(context, done.result.port, **metadata)


def _llm(tags: Mapping[str, str]) -> LLM | None:
    told = tags.get(LLM_TAG)
    return LLM.model_validate_json(told) if told else None


def _memory_bytes(tags: Mapping[str, str]) -> int | None:
    told = tags.get(MEMORY_TAG, "")
    return int(told) if told.isdecimal() else None


def _failed(
    context: OpExecutionContext, plan: Plan, step: PlanStep, kept: _Kept, failure: RunError
) -> Iterator[Any]:
    """Fails the attempt, or leaves by `error` once no attempt is left."""
    attempts = step.retry.max_attempts if step.retry else 1
    last = not failure.retryable or context.retry_number + 1 >= attempts
    if not step.handles_errors or not last:
        raise shown.failure(failure, last=last) from None
    context.log.error(shown.taken_on(step, failure))
    facts: JsonObject = {
        **figures(failure.usage),
        "kind": step.node.kind,
        "attempts": context.retry_number + 1,
    }
    kept.put(StepOutput("error", told(failure), facts))
    _tag_handled(context, plan, step.name)
    yield shown.expectation(failure)
    yield from _leave(context, "error", error=str(failure))


def _tag_handled(context: OpExecutionContext, plan: Plan, node: str) -> None:
    """Names the node in the run's tag, beside others whose errors were handled, in the plan's
    order."""
    run = context.instance.get_run_by_id(context.run_id)
    before = run.tags.get(HANDLED_ERROR_TAG, "") if run else ""
    handled = names_in_order(plan, {*before.split(","), node})
    context.instance.add_run_tags(context.run_id, {HANDLED_ERROR_TAG: handled})
