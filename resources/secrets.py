"""Where secrets and environment variables come from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.secrets import Secrets


class SecretsResource(ConfigurableResource[Any]):
    """`{{secret.NAME}}`, providers' keys and `{{env.NAME}}` from the environment variables."""

    def adapter(self) -> Secrets:
        """The secrets port."""
        from agentflow_dagster.engine.secrets import EnvironmentSecrets

        return EnvironmentSecrets(os.environ)

    def environment(self) -> Mapping[str, str]:
        """What `{{env.NAME}}` reads."""
        return dict(os.environ)
