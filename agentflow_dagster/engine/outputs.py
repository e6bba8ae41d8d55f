"""What a finished run gives: the agent's `outputs`, filled from its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.engine.scope import node_values
from agentflow_dagster.errors import RunError
from agentflow_dagster.graph.templates import fill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.stores import StepOutput
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject, Value


def agent_outputs(
    agent: Agent,
    run_id: str,
    input_: JsonObject,
    outputs: Mapping[str, StepOutput],
    environment: Mapping[str, str],
    *,
    partition: JsonObject | None = None,
) -> dict[str, Value]:
    """The run's outputs; one that reads what is not there (the run failed before it) is None."""
    scope = node_values(agent.spec.nodes, outputs)
    scope |= {
        "input": cast("Value", input_),
        "run": cast("Value", {**(partition or {}), "id": run_id, "agent": agent.name}),
        "env": {n: environment[n] for n in agent.spec.env if n in environment},
    }
    filled: dict[str, Value] = {}
    for name, template in agent.spec.outputs.items():
        try:
            filled[name] = fill(template, scope)
        except RunError:
            filled[name] = None
    return filled
