"""A plan's edges as Dagster dependencies: Dagster carries order and skips, never values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster import DependencyDefinition, In, MultiDependencyDefinition, Nothing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dagster._core.definitions.dependency import IDependencyDefinition

    from agentflow_dagster.graph.plan import Plan, PlanStep

Port = tuple[str, str]


def dependencies(plan: Plan, step: PlanStep) -> dict[str, IDependencyDefinition]:
    """The step's inputs, by name.

    A required edge is an input of its own, so its absence skips the step. `any` edges share one
    fan-in, which needs only one of them. An optional edge shares a fan-in with something that is
    there whenever the step may run, so the step waits for it and is not skipped without it.
    """
    required = [(e.source, e.port) for e in step.edges if e.role == "required"]
    any_of = [(e.source, e.port) for e in step.edges if e.role == "any"]
    optional = [e.source for e in step.edges if e.role == "optional"]
    wired: dict[str, IDependencyDefinition] = {
        f"after_{i}": DependencyDefinition(*port) for i, port in enumerate(required)
    }
    if any_of:
        wired["any"] = _fan_in(any_of)
    for i, source in enumerate(dict.fromkeys(optional)):
        anchor = required[:1] or any_of or _always(plan, source)
        own = [(source, port) for port in plan.step(source).ports]
        wired[f"maybe_{i}"] = _fan_in([*own, *anchor])
    return wired


def input_definitions(wired: Iterable[str]) -> dict[str, In]:
    """`In(Nothing)` for each."""
    return {name: In(Nothing) for name in wired}


def _fan_in(ports: Iterable[Port]) -> MultiDependencyDefinition:
    return MultiDependencyDefinition([DependencyDefinition(*p) for p in dict.fromkeys(ports)])


def _always(plan: Plan, source: str) -> list[Port]:
    """Every port of a step that runs in each run, upstream of `source` where there is one."""
    roots = [s for s in plan.steps if not s.edges]
    upstream = _ancestors(plan, source)
    chosen = min(roots, key=lambda s: (s.node.when is not None, s.name not in upstream, s.name))
    return [(chosen.name, port) for port in chosen.ports]


def _ancestors(plan: Plan, name: str) -> set[str]:
    found = {name}
    for step in reversed(plan.steps):
        if step.name in found:
            found |= {e.source for e in step.edges}
    return found
