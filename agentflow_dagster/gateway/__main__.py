"""Runs the front door: `python -m agentflow_dagster.gateway --port 8800`."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from agentflow_dagster.gateway.app import Settings, create_app
from agentflow_dagster.gateway.server import http_server
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.stores import project_stores
from agentflow_dagster.operations.token import project_token
from agentflow_dagster.orchestration.client import DagsterClient
from agentflow_dagster.orchestration.direct_start import Deployed, EventStarter
from agentflow_dagster.orchestration.engine_lane.asking import EngineLines, engine_socket
from agentflow_dagster.orchestration.names import location_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.gateway.webhooks import Routes
    from agentflow_dagster.ports.starter import Starter
    from agentflow_dagster.stores import Stores

_START_SECONDS = 8.0
"""How long Dagster is waited for; a start that is given up may still go on there."""


def main() -> None:
    """Serves on the loopback address until it is told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8800)
    parser.add_argument("--project", type=Path, default=None)
    parser.add_argument("--dagster", default=None, help="address of Dagster's webserver")
    given = parser.parse_args()
    project = Project.find(given.project)
    with httpx.Client(timeout=_START_SECONDS) as http:
        dagster = DagsterClient(given.dagster, http) if given.dagster else None
        settings = Settings(
            open_stores=partial(project_stores, project),
            environment=project.environment,
            token=project_token(project),
            variables=project.variables,
            starter=_starter(project, dagster) if dagster else None,
        )
        http_server(create_app(settings), host=given.host, port=given.port).run()


def _starter(project: Project, client: DagsterClient) -> Callable[[Stores, Routes], Starter]:
    def make(stores: Stores, routes: Routes) -> Starter:
        async def deployed(agent: str) -> Deployed | None:
            found = (await routes.live()).agents.get(agent)
            return found and Deployed(found.agent, found.version, location_name(found.location))

        variables = project.variables
        socket = engine_socket(variables)
        engine = EngineLines(socket) if socket else None
        return EventStarter(client, stores.inbox, deployed, variables, engine=engine)

    return make


if __name__ == "__main__":
    main()
