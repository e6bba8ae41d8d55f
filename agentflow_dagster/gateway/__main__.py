"""Runs the front door: `python -m agentflow_dagster.gateway --port 8800`."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from agentflow_dagster.gateway.app import Settings, create_app
from agentflow_dagster.gateway.server import http_server
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.stores import project_stores
from agentflow_dagster.operations.token import project_token


def main() -> None:
    """Serves on the loopback address until it is told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8800)
    parser.add_argument("--project", type=Path, default=None)
    given = parser.parse_args()
    project = Project.find(given.project)
    settings = Settings(
        open_stores=partial(project_stores, project),
        environment=project.environment,
        token=project_token(project),
        variables=project.variables,
    )
    http_server(create_app(settings), host=given.host, port=given.port).run()


if __name__ == "__main__":
    main()
