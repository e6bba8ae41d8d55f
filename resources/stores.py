"""Where versions, step outputs and accepted webhook calls are kept."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource, InitResourceContext
from pydantic import PrivateAttr

if TYPE_CHECKING:
    from agentflow_dagster.stores import Stores


class StoresResource(ConfigurableResource[Any]):
    """PostgreSQL at `AGENTFLOW_DATABASE_URL`, or the project's embedded one."""

    _open: ExitStack = PrivateAttr(default_factory=ExitStack)
    _stores: object = PrivateAttr(default=None)

    def open(self) -> Stores:
        """The stores: those of this process, or opened for one run or tick."""
        from agentflow_dagster.operations import Project
        from agentflow_dagster.operations.stores import lasting_stores, project_stores

        if self._stores is None:
            project = Project.find(Path(__file__).parent)
            self._stores = lasting_stores(project) or self._open.enter_context(
                project_stores(project)
            )
        return self._stores  # type: ignore[return-value]

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        """Gives back connections, and what was leased of budgets; accounts of calls are stored."""
        del context
        if self._stores is not None:
            self._stores.ledger.close()  # type: ignore[attr-defined]
        self._stores = None
        self._open.close()
