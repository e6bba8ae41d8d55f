"""Other agents, as a node runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agentflow_dagster.errors import RunError

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import Usage
    from agentflow_dagster.spec.document import LLM
    from agentflow_dagster.spec.values import JsonObject, Value


@dataclass(frozen=True, slots=True)
class AgentCall:
    """One run of another agent that a step asks for.

    Args:
        agent: A reference: `name`, `name:3`, `agents/name:tag`, each with `@sha256:…` or without.
        input: The run's input.
        llm: Model settings that go before the agent's own defaults.
        key: The same for every attempt of the step, so that a finished run is not run again.
        run_id, node: The step that asks.
        memory_bytes: Most memory that each of the agent's nodes may take, whatever it says itself;
            None leaves it to them.
    """

    agent: str
    input: JsonObject
    llm: LLM
    key: str
    run_id: str
    node: str
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class AgentOutcome:
    """What a run of another agent gave.

    Args:
        run_id: The run.
        outputs: The agent's outputs.
        usage: What its model calls took.
    """

    run_id: str
    outputs: dict[str, Value]
    usage: tuple[Usage, ...]


class Agents(Protocol):
    """Runs other agents."""

    async def run(self, call: AgentCall) -> AgentOutcome:
        """Runs an agent to its end; cancelling the awaiting task cancels the run.

        Raises:
            RunError: there is no such agent, its input does not fit, or its run failed.
        """
        ...


class NoAgents:
    """There is none to run."""

    async def run(self, call: AgentCall) -> AgentOutcome:
        raise RunError(f"There is no agent {call.agent!r} here.", retryable=False)
