"""Which models answer the `ai.*` nodes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import Model


class ModelResource(ConfigurableResource[Any]):
    """LiteLLM where a provider's key or base URL is in the environment; offline otherwise."""

    def adapter(self) -> Model:
        """The model port."""
        from agentflow_dagster.models import ConfiguredModel

        return ConfiguredModel(os.environ)
