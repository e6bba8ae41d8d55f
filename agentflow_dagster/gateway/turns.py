"""Whose event is next: the most important agent's, and among equals one of each agent in turn."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentflow_dagster.ports.stores import InboxEvent


class Turns:
    """Events that wait: a burst of one agent's holds up no other agent's."""

    def __init__(self) -> None:
        self._waiting: defaultdict[int, OrderedDict[str, deque[InboxEvent]]]
        self._waiting = defaultdict(OrderedDict)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, event: InboxEvent, *, priority: int) -> None:
        """Has an event wait for its turn; higher priorities go first."""
        self._waiting[priority].setdefault(event.agent, deque()).append(event)
        self._count += 1

    def take(self) -> InboxEvent | None:
        """The next one; None where none waits."""
        if not self._waiting:
            return None
        first = max(self._waiting)
        agents = self._waiting[first]
        agent, events = agents.popitem(last=False)
        event = events.popleft()
        if events:
            agents[agent] = events  # behind the others
        elif not agents:
            del self._waiting[first]
        self._count -= 1
        return event
