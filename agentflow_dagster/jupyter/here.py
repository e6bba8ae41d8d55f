"""Where a kernel stands: its project, its notebook, and what nodes work with here."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.engine.memory_ledger import MemoryLedger
    from agentflow_dagster.engine.step import Services
    from agentflow_dagster.jupyter.session import Session
    from agentflow_dagster.operations.project import Project

_SESSION_VARIABLE = "JPY_SESSION_NAME"
_EDITORS_NAME = "__vsc_ipynb_file__"


def project_here() -> Project:
    """The project around the current folder; outside of any, the folder itself stands for one."""
    from agentflow_dagster.operations.project import Project

    try:
        return Project.find()
    except UsageError:
        root = Path.cwd()
        return Project(root, root / ".agentflow")


def services_here() -> Services:
    """What nodes work with in this kernel: models as the environment configures them, code in
    child processes, secrets from the environment.

    Calls of models are charged to the project's account while its database is up, and otherwise to
    one of this kernel.
    """
    from agentflow_dagster.nodes import all_kinds
    from agentflow_dagster.operations.stores import lasting_stores
    from agentflow_dagster.operations.testing import project_services

    project = project_here()
    stores = lasting_stores(project)
    ledger = stores.ledger if stores is not None else _own_ledger(project.root)
    return project_services(
        project, all_kinds(), ledger=ledger, memo=stores.memo if stores is not None else None
    )


@cache
def _own_ledger(root: Path) -> MemoryLedger:
    """Of a project whose database is not up."""
    from agentflow_dagster.engine.memory_ledger import MemoryLedger
    from agentflow_dagster.operations.stores import workspace_monthly_usd

    del root
    return MemoryLedger(workspace_monthly_usd(project_here()))


def notebook_here(namespace: Mapping[str, object], named: str | None = None) -> Path:
    """The notebook's file.

    Args:
        namespace: The notebook's names.
        named: The file, where its author says which.

    Raises:
        UsageError: it cannot be told, or there is none.
    """
    told = named or namespace.get(_EDITORS_NAME) or _notebook_of_session()
    if not isinstance(told, str) or not told:
        raise UsageError(
            "Which file this notebook is cannot be told here.", hint="Name it: --file PATH."
        )
    path = Path(told).expanduser()
    for candidate in (path, Path.cwd() / path.name):
        if candidate.is_file():
            return candidate.resolve()
    raise UsageError(
        f"There is no file {told!r}.", hint="Save the notebook, or name it: --file PATH."
    )


def _notebook_of_session() -> str | None:
    """The file as Jupyter knows it: by its name of today, else by that of the kernel's start."""
    from agentflow_dagster.jupyter.server_session import notebook_on_server

    at_start = os.environ.get(_SESSION_VARIABLE)
    return str(notebook_on_server() or at_start) if at_start else None


def unsaved(path: Path, session: Session) -> str:
    """Which nodes ran here that the file does not have so; "" where all are as they ran.

    A notebook's file is what deploys: what has not been saved is not in it.
    """
    from agentflow_dagster.notebook import read_notebook

    if path.suffix != ".ipynb":
        return ""
    cells = [cell for cell in read_notebook(path).cells if cell.node]
    saved = {cell.name: (cell.node, cell.source.rstrip("\n")) for cell in cells}
    other = [
        name
        for name, run in session.nodes.items()
        if saved.get(name) != (run.line, run.source.rstrip("\n"))
    ]
    if not other:
        return ""
    return (
        f"{', '.join(other)}. Save the notebook (Ctrl+S), or run it again where the file is right."
    )
