"""The model plane's front: one `Model` for whatever the environment configures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agentflow_dagster.models.choice import choose
from agentflow_dagster.models.litellm_model import complete, provider_of
from agentflow_dagster.models.offline import OfflineModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.model import ModelReply, ModelRequest


class ConfiguredModel:
    """Answers with the provider that the environment configures, offline where there is none.

    The offline model is called directly: going through LiteLLM would give the same answer after
    seconds of import.

    Args:
        environment: Environment variables; read at every request, so a change takes effect.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._offline = OfflineModel()

    async def complete(self, request: ModelRequest) -> ModelReply:
        # In a thread: an unknown name is looked up in LiteLLM, which may have to be imported.
        choice = await asyncio.to_thread(
            choose, request.model, self._environment, provider_of=provider_of
        )
        if choice.is_offline:
            return await self._offline.complete(request)
        return await complete(request, choice)
