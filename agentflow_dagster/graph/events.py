"""A trigger's event as a run's input, and the partition that the run is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import RunError, UsageError
from agentflow_dagster.graph.inputs import complete_input
from agentflow_dagster.graph.templates import fill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue, Value


def event_input(
    agent: Agent, trigger: str, event: JsonObject, environment: Mapping[str, str]
) -> JsonObject:
    """What the trigger's `input` makes of the event, defaults filled in.

    Raises:
        UsageError: no such trigger, or the result does not meet the agent's schema.
        RunError: an expression does not fit the event.
    """
    scope = _scope(agent, trigger, event, environment)
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


def event_partition(
    agent: Agent, trigger: str, event: JsonObject, environment: Mapping[str, str]
) -> str | dict[str, str] | None:
    """What the trigger's `partition` makes of the event: a key, or one for each dimension; None
    where it says none.

    Raises:
        UsageError: no such trigger.
        RunError: an expression does not fit the event, or gives no text.
    """
    scope = _scope(agent, trigger, event, environment)
    said = agent.spec.triggers[trigger].partition
    if said is None:
        return None
    filled = fill(cast("JsonValue", said), scope)
    for key in filled.values() if isinstance(filled, dict) else [filled]:
        if not isinstance(key, str):
            raise RunError(f"The partition {key!r} is no text.", retryable=False)
    return cast("str | dict[str, str]", filled)


def _scope(
    agent: Agent, trigger: str, event: JsonObject, environment: Mapping[str, str]
) -> dict[str, Value]:
    if trigger not in agent.spec.triggers:
        raise UsageError(f"{agent.name!r} has no trigger {trigger!r} any more.")
    declared = {name: environment[name] for name in agent.spec.env if name in environment}
    return {"event": cast("Value", event), "env": dict(declared)}
