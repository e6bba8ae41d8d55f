"""The token that callers of a project's front door show."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentflow_dagster.operations.project import Project

VARIABLE = "AGENTFLOW_TOKEN"


def project_token(project: Project) -> str:
    """`AGENTFLOW_TOKEN`, or else the one in the home's file `token`, made at first use (0600)."""
    if named := project.variables.get(VARIABLE):
        return named
    path = project.home / "token"
    project.home.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        token = secrets.token_urlsafe(32)
        file.write(token)
    return token
