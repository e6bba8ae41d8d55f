"""What starts the run of an accepted event at once, without waiting for the agent's sensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agentflow_dagster.errors import AgentFlowError

if TYPE_CHECKING:
    from agentflow_dagster.ports.stores import InboxEvent


class NotStarted(AgentFlowError):
    """An event's run was not started, and nothing is under way that may still start it."""


class Starter(Protocol):
    """Starts runs of events that the caller has claimed."""

    async def start(self, event: InboxEvent) -> None:
        """Starts the event's run. On return the run is durable and the event settled.

        Raises:
            NotStarted: it is not to be started now, or cannot be. The sensor may try at once.
            AgentFlowError: whether it was started is not known.
        """
        ...

    def close(self) -> None:
        """Gives back what it holds; nothing is started after."""
        ...
