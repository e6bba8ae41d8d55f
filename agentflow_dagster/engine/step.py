"""One attempt of one step: expressions filled in, work done within its time, secrets kept out.

How often a step is attempted is the business of whoever calls this (Dagster's executor, the engine
lane, a notebook).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, cast

from agentflow_dagster.engine.activity import Activity
from agentflow_dagster.engine.approval import approved
from agentflow_dagster.engine.callbacks import callback_token, with_callback_url
from agentflow_dagster.engine.failures import redacted_checks, run_error
from agentflow_dagster.engine.heard import redacted_listener
from agentflow_dagster.engine.redaction import Redactor
from agentflow_dagster.engine.redaction_rules import NO_RULES, Rules
from agentflow_dagster.engine.scope import node_values
from agentflow_dagster.engine.secrets import declared
from agentflow_dagster.engine.spending import CallLimit, Spending, figures
from agentflow_dagster.engine.stand_ins import StandIn, stand_in
from agentflow_dagster.engine.step_model import StepModel, caller_of
from agentflow_dagster.engine.sub_steps import SubSteps
from agentflow_dagster.engine.waiting import ActiveLimit, StepWaits
from agentflow_dagster.errors import RunError, StepTimeout
from agentflow_dagster.graph import templates
from agentflow_dagster.graph.inputs import conform
from agentflow_dagster.graph.plan import effective_llm
from agentflow_dagster.ports.agents import NoAgents
from agentflow_dagster.ports.journal import MemoryJournal
from agentflow_dagster.ports.kind import NodeContext, NodeResult
from agentflow_dagster.ports.notebooks import NoNotebooks
from agentflow_dagster.ports.waits import NoWaits
from agentflow_dagster.spec.kind import VALUED_PORTS
from agentflow_dagster.spec.units import quantity_bytes
from agentflow_dagster.spec.values import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from agentflow_dagster.graph.plan import Plan, PlanStep
    from agentflow_dagster.ports.agents import Agents
    from agentflow_dagster.ports.code import CodeRunner
    from agentflow_dagster.ports.journal import Journal
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.ports.ledger import Ledger
    from agentflow_dagster.ports.model import Listener, Model
    from agentflow_dagster.ports.notebooks import Notebooks
    from agentflow_dagster.ports.secrets import Secrets
    from agentflow_dagster.ports.stores import StepOutput
    from agentflow_dagster.ports.waits import Waits
    from agentflow_dagster.spec.document import LLM, Node
    from agentflow_dagster.spec.kind import KindConfig
    from agentflow_dagster.spec.values import JsonObject, Value

_GRACE = 0.5
"""Seconds past its limit that a kind has to end by itself: it can tell more of where it was."""


@dataclass(frozen=True, slots=True)
class Services:
    """The adapters that steps work with; built in one place and handed in.

    `ledger` is what `model` charges, where it does. Where a test has something stand in for nodes,
    `stand_ins` says what, by their paths. `public_url` is where others reach the front door.
    `rules` say what is not shown of data.
    """

    kinds: Mapping[str, Kind[KindConfig]]
    model: Model
    code: CodeRunner
    secrets: Secrets
    agents: Agents = field(default_factory=NoAgents)
    notebooks: Notebooks = field(default_factory=NoNotebooks)
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    data: Path | None = None
    stand_ins: Mapping[str, StandIn] = field(default_factory=dict[str, StandIn])
    public_url: str = ""
    ledger: Ledger | None = None
    rules: Rules = NO_RULES


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a graph stands.

    Args:
        path: What goes before its nodes' names: "" for an agent's own, `each[3].` in a loop.
        nodes: The names of its nodes.
        values: What expressions know from around it.
        journal: Where the steps of bodies are kept.
    """

    path: str
    nodes: tuple[str, ...]
    values: Mapping[str, Value]
    journal: Journal


def _nobody(path: str) -> None:
    """Nobody hears what models say."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which attempt of which step, and what the run has so far.

    Args:
        run_id: The run.
        number: 1 for the first attempt.
        input: The run's input, complete.
        outputs: Outputs of finished steps of the same graph, by node.
        surroundings: Where the graph stands.
        partition: What `run` shows of the run's partition; empty where it is of none.
        llm: Model settings that go before the agent's defaults.
        memory_bytes: Most memory that any step may take, whatever it says itself.
        waits: What the run waits for.
        activity: How much of the run is at work.
        limits: Of the steps that the graph stands in.
        tell: Is told how far a step is, a line at a time.
        spending: What the run's calls of models take.
        call_limits: Of the steps that the graph stands in.
        parents: Ids of the runs that the run is a child of, the nearest first.
        allowed: Whether a person has allowed the call whose body the graph is, by its arguments.
        hear: Gives who hears what a step's model says while it says it, by the step's path.
    """

    run_id: str
    number: int
    input: JsonObject
    outputs: Mapping[str, StepOutput]
    surroundings: Surroundings
    partition: JsonObject = field(default_factory=lambda: {})  # noqa: PIE807 - dict has no type
    llm: LLM | None = None
    memory_bytes: int | None = None
    waits: Waits = field(default_factory=NoWaits)
    activity: Activity = field(default_factory=Activity)
    limits: tuple[ActiveLimit, ...] = ()
    tell: Callable[[str], object] = str
    spending: Spending = field(default_factory=Spending)
    call_limits: tuple[CallLimit, ...] = ()
    parents: tuple[str, ...] = ()
    allowed: bool = False
    hear: Callable[[str], Listener | None] = _nobody

    @classmethod
    def first(
        cls, plan: Plan, input_: JsonObject, *, run_id: str = "run", journal: Journal | None = None
    ) -> Attempt:
        """The first attempt of a step of a plan, before any other has run.

        Args:
            plan: The agent.
            input_: The run's input, complete.
            run_id: The run.
            journal: Where steps are kept; None keeps them in memory.
        """
        nodes = tuple(plan.agent.spec.nodes)
        return cls(run_id, 1, input_, {}, Surroundings("", nodes, {}, journal or MemoryJournal()))


@dataclass(frozen=True)
class StepResult:
    """What an attempt gave, secrets already out.

    Args:
        result: The node's result, or None where its `when` skipped it.
        latency_ms: Milliseconds that the attempt took.
        rules: By which it is shown.
    """

    result: NodeResult | None
    latency_ms: float
    rules: Rules = NO_RULES

    @cached_property
    def figures(self) -> JsonObject:
        """The numbers that go on every materialization.

        `cost_usd` is left out where a call's price is not known.
        """
        return figures(self.result.usage if self.result else (), self.latency_ms)


async def run_attempt(
    plan: Plan, step: PlanStep, attempt: Attempt, services: Services
) -> StepResult:
    """Runs one attempt of a step.

    Raises:
        RunError: it failed; no secret is in the message. `StepTimeout` where its time ran out.
    """
    redactor = _redactor((), services.rules)
    started = time.perf_counter()
    try:
        values = declared(plan.agent.spec.secrets, services.secrets)
        redactor = _redactor(tuple(values.values()), services.rules)
        result = await _attempt(plan, step, attempt, services, secrets=values, redactor=redactor)
        if result is not None:
            result = _fit_to_keep(result, step, redactor)
    except Exception as failure:  # noqa: BLE001 - a kind may raise anything
        failed = run_error(failure, step.name, redactor, step.code_place)
    else:
        return StepResult(result, (time.perf_counter() - started) * 1000, services.rules)
    raise failed  # Out here, so that it does not carry what was caught, secrets and all.


def _fit_to_keep(result: NodeResult, step: PlanStep, redactor: Redactor) -> NodeResult:
    """The result with values that can be stored, of the types that expressions were checked with.

    Raises:
        ValueNotStorable: the kind gave something that is no Value.
    """
    output = redactor.value(conform(pack(result.output), step.output_schema))
    checks = redacted_checks(result.checks, redactor)
    return replace(result, output=output, log=redactor.shown(result.log), checks=checks)


async def _attempt(
    plan: Plan,
    step: PlanStep,
    attempt: Attempt,
    services: Services,
    *,
    secrets: Mapping[str, str],
    redactor: Redactor,
) -> NodeResult | None:
    from agentflow_dagster.engine.bodies import StepBodies  # It runs steps in turn.

    scope = _scope(plan, attempt, services, secrets)
    node = step.node
    kind = services.kinds[node.kind]
    instead = stand_in(attempt.surroundings.path + step.name, services.stand_ins)
    if instead is None:
        _require_set(step, kind, scope)
    if node.when is not None and templates.fill(node.when, scope) is not True:
        return None
    if instead is not None:
        return instead.result()
    path = attempt.surroundings.path + step.name
    token = ""
    if kind.called_back:
        token = await callback_token(attempt.surroundings.journal, path)
        scope = with_callback_url(scope, services.public_url, token)
    filled = cast("dict[str, Value]", templates.fill(kind.templated(node.with_), scope))
    config = kind.config.model_validate({**node.with_, **filled}, by_alias=True, by_name=False)
    setup = plan.agent.spec.defaults.code
    limit = ActiveLimit(step.timeout + _GRACE)
    limits = (*attempt.limits, limit)
    calls = _call_limits(node, path, attempt)
    inside = replace(attempt, limits=limits, call_limits=calls) if step.bodies else attempt
    llm = effective_llm(plan.agent, node, kind, before=attempt.llm) if attempt.llm else step.llm
    model = StepModel(
        services.model,
        caller_of(
            plan,
            path,
            attempt=attempt.number,
            run_id=attempt.run_id,
            parents=attempt.parents,
        ),
        llm,
        plan.agent.spec.llm_routing,
        own_model=bool(node.llm and node.llm.model) or "own_llm" in kind.uses,
        code_version=step.code_version,
        sensitive="sensitive" in step.marks,
        limits=calls,
        spending=attempt.spending,
        tell=lambda line: attempt.tell(redactor.shown(line)),
        listener=redacted_listener(attempt.hear(path), redactor),
    )
    context = NodeContext(
        run_id=attempt.run_id,
        agent=plan.agent.name,
        node=step.name,
        path=path,
        attempt=attempt.number,
        llm=llm,
        setup=setup.setup if setup else "",
        timeout=step.timeout,
        upstream={
            name: attempt.outputs[name].value
            for name in kind.reads(node.with_)
            if name in attempt.outputs and attempt.outputs[name].port not in VALUED_PORTS
        },
        model=model,
        code=services.code,
        memory_bytes=_memory_bytes(node, attempt),
        data=services.data,
        agents=services.agents,
        notebooks=services.notebooks,
        bodies=StepBodies(plan, step, inside, services, scope=scope),
        callback_token=token,
        sub_steps=SubSteps(attempt.surroundings.journal, path),
        waits=StepWaits(attempt.waits, path, redactor, limits, attempt.activity),
        partition=attempt.partition,
        redacted=redactor.text,
        shown=redactor.shown if services.rules.rules else str,
        tell=lambda line: attempt.tell(redactor.shown(line)),
    )
    if step.needs_approval and not (attempt.allowed and step.by_arguments):
        # Before the step's own limit of time begins.
        where, around = f"{path}.approval", attempt.limits
        beside = StepWaits(attempt.waits, where, redactor, around, attempt.activity)
        await approved(beside, path, step, filled)
    try:
        async with limit:
            return await _paid(kind, context, config, model)
    except TimeoutError:
        if not limit.expired():
            raise  # One of the kind's own.
        raise StepTimeout(
            f"{step.name!r} was still at work after {step.timeout:g} s.",
            hint="Raise its `timeout`, or make it do less.",
        ) from None


async def _paid(
    kind: Kind[KindConfig], context: NodeContext, config: KindConfig, model: StepModel
) -> NodeResult:
    """What a kind gives, with what all calls of its models took, those in vain too."""
    try:
        result = await kind.run(context, config)
    except BaseException:
        answered = () if kind.keeps_calls else model.answered
        model.spending.keep(context.path, (*answered, *model.failed))
        raise
    in_vain = (*model.spending.earlier(context.path), *model.failed)
    return replace(result, usage=(*in_vain, *result.usage)) if in_vain else result


def _call_limits(node: Node, path: str, attempt: Attempt) -> tuple[CallLimit, ...]:
    most = node.limits.llm_calls if node.limits else None
    own = () if most is None else (CallLimit(path, most),)
    return (*attempt.call_limits, *own)


def _memory_bytes(node: Node, attempt: Attempt) -> int | None:
    """The lower of what the node and whoever runs the agent say; None where neither does."""
    asked = node.resources.memory if node.resources else None
    own = quantity_bytes(asked) if asked else None
    return min(filter(None, (own, attempt.memory_bytes)), default=None)


def _scope(
    plan: Plan, attempt: Attempt, services: Services, secrets: Mapping[str, str]
) -> dict[str, Value]:
    declared = plan.agent.spec.env
    return {
        **attempt.surroundings.values,
        **node_values(attempt.surroundings.nodes, attempt.outputs),
        "input": cast("Value", attempt.input),
        "run": cast("Value", {**attempt.partition, "id": attempt.run_id, "agent": plan.agent.name}),
        "env": {n: services.environment[n] for n in declared if n in services.environment},
        "secret": dict(secrets),
    }


def _require_set(step: PlanStep, kind: Kind[KindConfig], scope: Mapping[str, Value]) -> None:
    """Refuses to begin without a variable or secret that the step reads unguarded.

    Raises:
        RunError: it names the first that is not set.
    """
    texts = tuple(text.text for text in templates.of_config(step.node, kind, ()))
    for root, name in _wanted(texts):
        known = scope.get(root)
        if isinstance(known, dict) and name not in known:
            raise RunError(
                f"{root}.{name}, which {step.name!r} reads, is not set.",
                hint=f"Set the environment variable {name} where the agent runs.",
                retryable=False,
            )


@lru_cache(maxsize=4096)
def _wanted(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The variables and secrets that texts of one step read unguarded: `("env", "REGION")`."""
    found = templates.roots(templates.TemplateText((), text) for text in texts)
    wanted: list[tuple[str, str]] = []
    for root, reads in found.items():
        if root not in {"env", "secret"}:
            continue
        tested = {read.path[0] for read in reads if read.tested}
        wanted += [(root, r.path[0]) for r in reads if r.path and r.path[0] not in tested]
    return tuple(wanted)


@lru_cache(maxsize=256)
def _redactor(secrets: tuple[str, ...], rules: Rules) -> Redactor:
    return Redactor(secrets, rules)
