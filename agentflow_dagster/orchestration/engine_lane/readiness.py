"""Makes what is deployed ready to run before anybody asks for it."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from agentflow_dagster.errors import AgentFlowError
from agentflow_dagster.orchestration.names import location_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agentflow_dagster.ports.stores import Deployment, VersionStore

_LOOK_SECONDS = 1.0
_MOST = 100
"""Of as many agents, those deployed last: each takes a tenth of a second and some memory."""
_log = logging.getLogger(__name__)


class Readiness:
    """Has an engine make versions ready, one at a time and with pauses: runs go first.

    Args:
        versions: What is deployed.
        environment: Where.
        make_ready: Makes a version ready, by its hash and the name of its code location.
    """

    def __init__(
        self,
        versions: VersionStore,
        environment: str,
        make_ready: Callable[[str, str], Awaitable[object]],
    ) -> None:
        self._versions = versions
        self._environment = environment
        self._make_ready = make_ready

    async def run(self) -> None:
        """Keeps them ready for ever; cancel it to stop."""
        known: int | None = None
        while True:
            try:
                revision = await self._revision()
                if revision != known:
                    await self._all_ready(revision)
                known = revision
            except (AgentFlowError, DBAPIError) as problem:
                _log.info("It will be looked again for what is deployed: %s", problem)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _revision(self) -> int:
        return await asyncio.to_thread(self._versions.revision, self._environment)

    async def _all_ready(self, revision: int) -> None:
        live = await asyncio.to_thread(self._versions.live, self._environment)
        for deployment in sorted(live, key=_deployed_at, reverse=True)[:_MOST]:
            if await self._revision() != revision:
                return  # What was deployed in the meantime comes first.
            began = time.perf_counter()
            try:
                await self._make_ready(deployment.version.hash, location_name(deployment.location))
            except Exception as problem:  # noqa: BLE001 - its runs will tell, and others go on
                _log.info("%s is not ready: %s", deployment.version.agent, problem)
            await asyncio.sleep(time.perf_counter() - began)


def _deployed_at(deployment: Deployment) -> float:
    return deployment.deployed_at.timestamp()
