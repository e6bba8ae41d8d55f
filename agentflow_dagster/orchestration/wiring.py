"""A plan's edges as Dagster dependencies: Dagster carries order and skips, never values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster import DependencyDefinition, In, MultiDependencyDefinition, Nothing

from agentflow_dagster.orchestration.names import START, allowed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dagster._core.definitions.dependency import IDependencyDefinition

    from agentflow_dagster.graph.plan import Plan, PlanStep

Port = tuple[str, str]


def needs_start(plan: Plan) -> bool:
    """Whether a step of the plan waits for what it can do without."""
    return any(edge.role == "optional" for step in plan.steps for edge in step.edges)


def dependencies(plan: Plan, step: PlanStep) -> dict[str, IDependencyDefinition]:
    """The step's inputs, by name.

    A required edge is an input of its own, so its absence skips the step. `any` edges share one
    fan-in, which needs only one of them. An optional edge shares a fan-in with the start, so the
    step waits for it and is not skipped without it.
    """
    required = [(e.source, e.port) for e in step.edges if e.role == "required"]
    any_of = [(e.source, e.port) for e in step.edges if e.role == "any"]
    optional = [e.source for e in step.edges if e.role == "optional"]
    wired: dict[str, IDependencyDefinition] = {
        f"after_{i}": _port(port) for i, port in enumerate(dict.fromkeys(required))
    }
    if any_of:
        wired["any"] = _fan_in(any_of)
    for i, source in enumerate(dict.fromkeys(optional)):
        own = [(source, port) for port in plan.step(source).ports]
        wired[f"maybe_{i}"] = _fan_in([*own, (START, "result")])
    return wired


def input_definitions(wired: Iterable[str]) -> dict[str, In]:
    """`In(Nothing)` for each."""
    return {name: In(Nothing) for name in wired}


def _fan_in(ports: Iterable[Port]) -> MultiDependencyDefinition:
    return MultiDependencyDefinition([_port(port) for port in dict.fromkeys(ports)])


def _port(port: Port) -> DependencyDefinition:
    return DependencyDefinition(*map(allowed, port))
