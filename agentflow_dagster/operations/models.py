"""The model plane of a project: its settings, its keys, its account."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from agentflow_dagster.models import ModelPlane, read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.engine.redaction_rules import Rules
    from agentflow_dagster.models import ModelSettings
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.ports.ledger import Ledger
    from agentflow_dagster.ports.memo import Memo
    from agentflow_dagster.ports.secrets import Secrets


def project_models(
    project: Project,
    *,
    secrets: Secrets | None = None,
    ledger: Ledger | None = None,
    memo: Memo | None = None,
) -> ModelPlane:
    """Whoever answers the project's agents. Those who share an account share one, which remembers
    how models have been doing.

    Args:
        project: Its `models.yaml` and its environment say which models there are.
        secrets: Where keys come from, before the environment; None leaves them to that.
        ledger: Where calls are charged; None charges nobody.
        memo: Where replies are kept; None keeps none.

    Raises:
        UsageError: its `models.yaml` cannot be read.
    """
    settings = read_settings(project.root)
    if secrets is None:
        return _plane(_Key(project, settings), None, ledger, memo)
    # Every step may have an adapter of its own: they are of one resource, and the last is asked.
    latest = _latest(project.root, type(secrets))
    latest.secrets = secrets
    return _plane(_Key(project, settings), latest, ledger, memo)


def project_rules(project: Project) -> Rules:
    """What is not shown of the data of the project's agents.

    Raises:
        UsageError: its `models.yaml` cannot be read.
    """
    return read_settings(project.root).rules


class _Key:
    """A project and what its file says; equal where both are."""

    def __init__(self, project: Project, settings: ModelSettings) -> None:
        self.project = project
        self.settings = settings

    @property
    def _told(self) -> tuple[Path, str, frozenset[tuple[str, str]]]:
        variables = frozenset(self.project.variables.items())
        return self.project.root, self.settings.model_dump_json(), variables

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other._told == self._told

    def __hash__(self) -> int:
        return hash(self.project.root)


class _Latest:
    """The adapter of a project's secrets that was handed out last."""

    secrets: Secrets

    def lookup(self, name: str) -> str | None:
        return self.secrets.lookup(name)


@lru_cache(maxsize=8)
def _latest(root: Path, kind: type[Secrets]) -> _Latest:
    del root, kind
    return _Latest()


@lru_cache(maxsize=8)
def _plane(
    key: _Key, secrets: Secrets | None, ledger: Ledger | None, memo: Memo | None
) -> ModelPlane:
    return ModelPlane(
        key.project.variables, settings=key.settings, secrets=secrets, ledger=ledger, memo=memo
    )
