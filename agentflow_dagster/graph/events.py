"""A trigger's event as a run's input."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.graph.inputs import complete_input
from agentflow_dagster.graph.templates import fill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, Value


def event_input(
    agent: Agent, trigger: str, event: JsonObject, environment: Mapping[str, str]
) -> JsonObject:
    """What the trigger's `input` makes of the event, defaults filled in.

    Raises:
        UsageError: no such trigger, or the result does not meet the agent's schema.
        RunError: an expression does not fit the event.
    """
    if trigger not in agent.spec.triggers:
        raise UsageError(f"{agent.name!r} has no trigger {trigger!r} any more.")
    declared = {name: environment[name] for name in agent.spec.env if name in environment}
    scope: dict[str, Value] = {"event": cast("Value", event), "env": dict(declared)}
    told = agent.spec.triggers[trigger].input
    filled = fill(told if isinstance(told, str) else dict(told), scope)
    if not isinstance(filled, dict):
        raise UsageError(
            f"The input of {agent.name!r} must be an object, and {told} gives {_named(filled)}."
        )
    schema = cast("JsonSchema", agent.spec.inputs)
    return complete_input(schema, cast("JsonObject", filled))


def _named(value: Value) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
