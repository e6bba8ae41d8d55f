"""The token that callers of a project's front door show."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError

if TYPE_CHECKING:
    from agentflow_dagster.operations.project import Project

VARIABLE = "AGENTFLOW_TOKEN"


def project_token(project: Project) -> str:
    """`AGENTFLOW_TOKEN`, or else the one in the home's file `token`, made at first use (0600).

    Raises:
        UsageError: the file is empty.
    """
    if named := project.variables.get(VARIABLE):
        return named
    path = project.make_home() / "token"
    if not path.exists():
        _make(path)
    token = path.read_text(encoding="utf-8").strip()
    if not token:
        # Whoever shows nothing would show the right thing.
        raise UsageError(f"{path} is empty.", hint="Remove it, and a new token is made.")
    return token


def _make(path: Path) -> None:
    """Makes the file whole or not at all: several processes may do so at once, and one wins."""
    descriptor, scratch = tempfile.mkstemp(prefix=".token-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(32))
        os.link(scratch, path)
    except FileExistsError:
        return
    finally:
        Path(scratch).unlink()
