"""What a call of another agent has to meet, whoever carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import RunError, UsageError
from agentflow_dagster.graph.inputs import complete_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.ports.agents import AgentCall
    from agentflow_dagster.spec.values import JsonObject, JsonSchema

MAX_DEPTH = 5
"""How deep agents may run below each other."""


def require_end(agent: str, above: Sequence[str]) -> None:
    """Refuses a call that would never end, or stand too deep.

    Args:
        agent: Who is called.
        above: The agents above it, the one that calls last.

    Raises:
        RunError: it says which agents call each other.
    """
    chain = " -> ".join([*above, agent])
    if agent in above:
        raise RunError(
            f"{agent!r} would run itself: {chain}.",
            hint="Let one of them do without the other.",
            retryable=False,
        )
    if len(above) >= MAX_DEPTH:
        raise RunError(
            f"Agents would stand more than {MAX_DEPTH} deep below each other: {chain}.",
            hint="Make the chain of agents shorter.",
            retryable=False,
        )


def call_input(plan: Plan, call: AgentCall) -> JsonObject:
    """The input of the agent that is called, complete.

    Raises:
        RunError: what was given does not fit.
    """
    try:
        return complete_input(cast("JsonSchema", plan.agent.spec.inputs), call.input)
    except UsageError as problem:
        raise RunError(f"{call.agent!r}: {problem}", retryable=False) from None
