"""Which models answer the `ai.*` nodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource

if TYPE_CHECKING:
    from agentflow_dagster.engine.redaction_rules import Rules
    from agentflow_dagster.ports.model import Model
    from agentflow_dagster.ports.secrets import Secrets
    from agentflow_dagster.stores import Stores


class ModelResource(ConfigurableResource[Any]):
    """The models that the environment and `models.yaml` name; offline where there is none."""

    def adapter(self, stores: Stores, secrets: Secrets) -> Model:
        """The model port: calls are charged to the stores' account, keys come from the secrets."""
        from agentflow_dagster.operations import Project
        from agentflow_dagster.operations.models import project_models

        project = Project.find(Path(__file__).parent)
        return project_models(project, secrets=secrets, ledger=stores.ledger, memo=stores.memo)

    def redaction(self) -> Rules:
        """By which rules data is shown in previews, logs and errors."""
        from agentflow_dagster.operations import Project
        from agentflow_dagster.operations.models import project_rules

        return project_rules(Project.find(Path(__file__).parent))
