"""Which agent a webhook call is for."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.stores import VersionStore
    from agentflow_dagster.spec.document import Agent

_SECONDS_KNOWN = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """The trigger that a call is for."""

    agent: Agent
    trigger: str


@dataclass(frozen=True, slots=True)
class LiveAgent:
    """An agent, its version's hash, and the number of its code location."""

    agent: Agent
    version: str
    location: int


@dataclass(frozen=True, slots=True)
class Live:
    """What is deployed: agents by name, and webhooks."""

    agents: Mapping[str, LiveAgent]
    targets: Mapping[tuple[str, str], Target]


class Routes:
    """Webhook paths of the deployed agents; at most a second behind what is deployed."""

    def __init__(self, versions: VersionStore, environment: str) -> None:
        self._versions = versions
        self._environment = environment
        self._lock = Lock()
        self._known: Live | None = None
        self._read_at = float("-inf")
        self._revision = -1

    async def live(self) -> Live:
        """What is deployed."""
        if self._known is None or time.monotonic() - self._read_at > _SECONDS_KNOWN:
            return await asyncio.to_thread(self._current)
        return self._known

    async def find(self, method: str, path: str) -> Target | None:
        """The trigger that listens there; the agent deployed first where two do."""
        return (await self.live()).targets.get((method, path))

    async def paths(self) -> list[dict[str, str]]:
        """Every webhook, for whoever may ask."""
        return [
            {"method": method, "path": f"/hooks{path}", "agent": target.agent.name}
            for (method, path), target in (await self.live()).targets.items()
        ]

    def _current(self) -> Live:
        with self._lock:
            now = time.monotonic()
            if self._known is None or now - self._read_at > _SECONDS_KNOWN:
                self._read_at = now  # before reading: not every call is to wait for a lost store
                revision = self._versions.revision(self._environment)
                if self._known is None or revision != self._revision:
                    self._known, self._revision = self._read(), revision
            return self._known

    def _read(self) -> Live:
        agents: dict[str, LiveAgent] = {}
        found: dict[tuple[str, str], Target] = {}
        live = sorted(self._versions.live(self._environment), key=lambda d: d.deployed_at)
        for deployment in live:
            agent = parse_agent(deployment.version.document)
            if isinstance(agent, tuple):
                continue  # Not served by Dagster either; `agentflow check` says why.
            agents[agent.name] = LiveAgent(agent, deployment.version.hash, deployment.location)
            for name, trigger in agent.spec.triggers.items():
                if trigger.webhook is not None:
                    key = (trigger.webhook.method, trigger.webhook.path)
                    found.setdefault(key, Target(agent, name))
        return Live(agents, found)
