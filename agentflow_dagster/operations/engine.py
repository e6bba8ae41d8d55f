"""The process of the engine: `python -m agentflow_dagster.operations.engine --socket …`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from contextlib import suppress
from pathlib import Path

from agentflow_dagster.errors import AgentFlowError
from agentflow_dagster.operations.models import project_models
from agentflow_dagster.operations.own_resources import own_resources, own_secrets
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.stores import project_stores


def main() -> None:
    """Carries out runs until it is told to stop."""
    parser = argparse.ArgumentParser(description="Carries out runs of agents.")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument("--project", type=Path, default=None)
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(serve(Project.find(given.project), given.socket))


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, which takes a tenth less time for the same runs; Windows has none."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


async def serve(project: Project, socket: Path) -> None:
    """Carries out a project's runs until the process is told to stop.

    Args:
        project: Whose; its `resources` package says what steps work with.
        socket: Where it is asked.
    """
    from agentflow_dagster.nodes import all_kinds
    from agentflow_dagster.orchestration.engine_lane.serving import serving
    from agentflow_dagster.stores import database_url

    with (
        database_url(project.home, project.variables) as url,
        project_stores(project) as stores,
    ):
        environment = project.environment
        resources = own_resources(project.root, environment)
        async with serving(
            url, stores, all_kinds(), resources, socket=socket, environment=environment
        ):
            # Beside its work: the first call of a model need not wait for a library then.
            loading = asyncio.create_task(asyncio.to_thread(_prepare_models, project))
            await _told_to_stop()
            loading.cancel()


def _prepare_models(project: Project) -> None:
    """Where it cannot be done now, the first call says why."""
    with suppress(AgentFlowError):
        project_models(project, secrets=own_secrets(project)[0]).prepare()


async def _told_to_stop() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


if __name__ == "__main__":
    main()
