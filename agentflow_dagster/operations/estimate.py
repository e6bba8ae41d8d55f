"""What a run of an agent may be expected to cost, before it is run.

Nothing is run and no model is asked. What a prompt reads of the input is known; what it reads of
other nodes is taken to be as long as their models may say, or as a usual answer is.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import AgentFlowError, RunError
from agentflow_dagster.graph import templates
from agentflow_dagster.graph.inputs import complete_input
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.operations.models import project_models
from agentflow_dagster.operations.own_resources import own_secrets
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.spec import template
from agentflow_dagster.spec.demands import Needs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from agentflow_dagster.graph.plan import Plan, PlanStep
    from agentflow_dagster.models import ModelPlane
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.spec.kind import KindConfig
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue, Value

_USUAL_WORDS = "lorem ipsum " * 170
"""A text of 500 tokens, in place of what another node will have said."""


@dataclass(frozen=True, slots=True)
class NodeEstimate:
    """The calls of one node.

    Args:
        node: Its path; a body's stand for all of its runs.
        calls: How many, at most.
        model: Who is asked first.
        reason: Why.
        tokens_in, tokens_out: Of one call, as expected.
        usd: Of all calls, as expected; None where no price is known.
        most_usd: Of all calls, at most.
    """

    node: str
    calls: int
    model: str
    reason: str
    tokens_in: int
    tokens_out: int
    usd: Decimal | None
    most_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A run of an agent."""

    agent: str
    nodes: tuple[NodeEstimate, ...]

    @property
    def usd(self) -> Decimal | None:
        """As expected; None where a node's price is not known."""
        return _sum([node.usd for node in self.nodes])

    @property
    def most_usd(self) -> Decimal | None:
        """At most; None where a node's price is not known."""
        return _sum([node.most_usd for node in self.nodes])

    def to_json(self) -> JsonObject:
        """Amounts as text, so that none of their digits is lost."""
        nodes = [{name: _told(it) for name, it in asdict(node).items()} for node in self.nodes]
        return {
            "agent": self.agent,
            "usd": _told(self.usd),
            "most_usd": _told(self.most_usd),
            "nodes": cast("list[JsonValue]", nodes),
        }


def estimate(
    project: Project, kinds: Mapping[str, Kind[KindConfig]], file: Path, given: JsonObject
) -> Estimate:
    """What a run of a file's agent may cost.

    Args:
        project: Says which models there are.
        kinds: Every node kind known here.
        file: The agent.
        given: The run's input.

    Raises:
        DocumentError: the file has errors.
        UsageError: the input does not fit, or the project's secrets cannot be opened.
        ModelError: no model may answer one of its calls.
    """
    plan = check_file(file, kinds, file=project.relative(file)).require()
    input_ = complete_input(cast("JsonSchema", plan.agent.spec.inputs), given)
    scope: dict[str, Value] = {"input": cast("Value", input_)}
    models = project_models(project, secrets=own_secrets(project)[0])
    found = [
        _of_calls(plan, step, path, times, scope=scope, kinds=kinds, models=models)
        for path, step, times in _asking(plan.steps, "", 1, kinds, scope)
    ]
    return Estimate(plan.agent.name, tuple(found))


def _asking(
    steps: Sequence[PlanStep],
    around: str,
    times: int,
    kinds: Mapping[str, Kind[KindConfig]],
    scope: Mapping[str, Value],
) -> Iterator[tuple[str, PlanStep, int]]:
    """The steps that ask a model, with how often at most."""
    for step in steps:
        path = f"{around}{step.name}"
        often = times * _repeats(step, scope)
        if kinds[step.node.kind].uses & {"llm"}:
            yield path, step, often
        for name, body in step.bodies.items():
            inside = "[]." if name == "body" else f".{name}."
            yield from _asking(body.steps, f"{path}{inside}", often, kinds, scope)


def _repeats(step: PlanStep, scope: Mapping[str, Value]) -> int:
    """How often a step does its work, at most: of a loop its items, as far as they are known."""
    said = step.node.with_
    if "over" in said:
        try:
            items = templates.fill(said["over"], scope)
        except (AgentFlowError, RunError):
            items = None
        return len(items) if isinstance(items, list) else _whole(said.get("maxItems"), 1_000)
    if "maxSteps" in said or step.node.kind == "ai.agent":
        return _whole(said.get("maxSteps"), 10)
    return _whole(said.get("maxIterations"), 1)


def _whole(said: JsonValue, otherwise: int) -> int:
    return said if isinstance(said, int) else otherwise


def _of_calls(
    plan: Plan,
    step: PlanStep,
    path: str,
    times: int,
    *,
    scope: Mapping[str, Value],
    kinds: Mapping[str, Kind[KindConfig]],
    models: ModelPlane,
) -> NodeEstimate:
    told = kinds[step.node.kind].templated(step.node.with_)
    text = json.dumps(_likely(cast("JsonValue", dict(told)), scope), ensure_ascii=False)
    needs = step.llm.needs
    if "sensitive" in step.marks:
        needs = (needs or Needs()).model_copy(update={"data_sensitivity": "high"})
    request = ModelRequest(
        messages=(Message("user", text),),
        model=step.llm.model,
        output_schema=None if step.node.kind in _TEXTS else step.output_schema,
        max_tokens=step.llm.max_tokens,
        needs=needs,
        routing=plan.agent.spec.llm_routing,
    )
    likely = models.estimate(request)
    return NodeEstimate(
        node=path,
        calls=times,
        model=likely.model,
        reason=likely.reason,
        tokens_in=likely.tokens_in,
        tokens_out=likely.tokens_out,
        usd=None if likely.usd is None else likely.usd * times,
        most_usd=None if likely.most_usd is None else likely.most_usd * times,
    )


_TEXTS = {"ai.chat", "ai.complete", "ai.summarize", "ai.agent"}


def _likely(value: JsonValue, scope: Mapping[str, Value]) -> JsonValue:
    """A config with its texts filled in as far as the input tells."""
    match value:
        case str() if template.has_expression(value):
            try:
                return cast("JsonValue", templates.fill(value, scope))
            except (AgentFlowError, RunError):
                return f"{value} {_USUAL_WORDS}"
        case dict():
            return {name: _likely(inner, scope) for name, inner in value.items()}
        case list():
            return [_likely(inner, scope) for inner in value]
        case _:
            return value


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    if None in amounts:
        return None
    return sum(cast("Sequence[Decimal]", amounts), Decimal(0))


def _told(it: object) -> JsonValue:
    return f"{it:f}" if isinstance(it, Decimal) else cast("JsonValue", it)
