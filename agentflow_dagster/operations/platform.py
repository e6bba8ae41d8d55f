"""A running project: database, Dagster's processes, front door, JupyterLab."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from agentflow_dagster.errors import RunError, StoreError
from agentflow_dagster.operations.code_servers import CodeServers
from agentflow_dagster.operations.components import (
    HOST,
    Ports,
    components,
    engine,
    jupyter_url,
    kernels,
    warm_parent,
)
from agentflow_dagster.operations.locations import locations
from agentflow_dagster.operations.processes import Processes
from agentflow_dagster.operations.project import (
    ENVIRONMENT_VARIABLE,
    HOME_VARIABLE,
    SERVE_VARIABLE,
)
from agentflow_dagster.orchestration.names import FILES_LOCATION, LOCATION, PUBLIC_URL_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.orchestration.client import DagsterClient
    from agentflow_dagster.stores import Stores

_READY_SECONDS = 180.0
_ENGINE_SECONDS = 20.0
_WATCH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Platform:
    """What runs.

    Args:
        project: Whose it is.
        client: Dagster's webserver.
        stores: The project's stores.
        processes, code_servers: The processes, where this process is the one that started them.
        gateway, jupyter: Addresses of the front door and of JupyterLab.
    """

    project: Project
    client: DagsterClient
    stores: Stores
    processes: Processes | None
    gateway: str | None
    jupyter: str | None
    code_servers: CodeServers | None = None

    def watch(self) -> Generator[str]:
        """Starts again whatever dies, for ever; tells the names of those that had.

        Starts code servers for new code locations too.

        Raises:
            RunError: one dies again and again.
        """
        assert self.processes is not None
        while True:
            yield from self.processes.revive()
            # Neither may stop the rest: the database is away, or Dagster cannot load an agent.
            with suppress(StoreError, RunError):
                self.add_locations()
            time.sleep(_WATCH_SECONDS)

    def add_locations(self) -> None:
        """Starts code servers for the code locations that have none, and has Dagster serve those
        that have loaded since they were started; does not wait for any.

        Raises:
            RunError: Dagster does not serve them yet.
        """
        assert self.processes is not None
        assert self.code_servers is not None
        self.code_servers.start(locations(self.stores.versions, self.project.environment))
        new = self.code_servers.list_loaded()
        if not new:
            return
        # It would find them within a minute, in which their triggers would not be asked.
        self.processes.restart("daemon")
        self.client.find_new_locations()
        if FILES_LOCATION in new:
            self.client.reload(LOCATION)  # which leaves working files to that one from now on


def _public_url(ports: Ports) -> dict[str, str]:
    """Where others reach the front door, for who has not said so."""
    return {PUBLIC_URL_VARIABLE: f"http://{HOST}:{ports.gateway}"} if ports.gateway else {}


@contextmanager
def start_platform(
    project: Project,
    ports: Ports,
    *,
    progress: Callable[[str], None],
    daemon: bool = True,
    serve: str | None = None,
) -> Generator[Platform]:
    """Starts a project and stops all of it at the end of the block, whatever happens there.

    Args:
        project: Whose it is.
        ports: Where it listens.
        progress: Told what is being waited for.
        daemon: Whether queue, schedules and sensors run; without it runs start at once.
        serve: A version hash to serve alone.

    Raises:
        UsageError: a port is in use.
        RunError: a part of it cannot be started; with the last lines of its log.
    """
    import httpx

    from agentflow_dagster.notebook.kernels import SOCKET_VARIABLE as KERNELS_VARIABLE
    from agentflow_dagster.operations.publish import apply_limits
    from agentflow_dagster.orchestration.client import DagsterClient
    from agentflow_dagster.orchestration.engine_lane.asking import (
        SOCKET_VARIABLE as ENGINE_VARIABLE,
    )
    from agentflow_dagster.orchestration.instance import (
        DATABASE_VARIABLE,
        prepare_instance,
        write_instance,
    )
    from agentflow_dagster.orchestration.warm.asking import SOCKET_VARIABLE
    from agentflow_dagster.orchestration.warm.under_way import NOTES_VARIABLE
    from agentflow_dagster.stores import database_url, open_stores

    ports.require_free()
    project.make_home()
    with ExitStack() as stack:
        progress("Starting PostgreSQL")
        url = stack.enter_context(database_url(project.home, project.variables))
        stores = stack.enter_context(open_stores(url, project.artifacts))
        dagster_home = write_instance(project.home, queued=daemon)
        variables = {
            **_public_url(ports),
            **project.variables,
            DATABASE_VARIABLE: url,
            HOME_VARIABLE: str(project.home),
            ENVIRONMENT_VARIABLE: project.environment,
            "DAGSTER_HOME": str(dagster_home),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore",
        }
        if serve:
            variables[SERVE_VARIABLE] = serve
        progress("Preparing Dagster's tables")
        prepare_instance(dagster_home, url)
        apply_limits(project)
        # A component that has to be killed leaves its temporary files; they go with this folder.
        own = stack.enter_context(
            TemporaryDirectory(prefix="agentflow-", ignore_cleanup_errors=True)
        )
        warm, lane, pool = (Path(own) / name for name in ("warm", "engine", "kernels"))
        variables |= {
            "TMPDIR": own,
            SOCKET_VARIABLE: str(warm),
            # A single run has nobody who would go on with it.
            NOTES_VARIABLE: str(project.home / "runs-under-way") if daemon else "",
        }
        if daemon:  # Without one there is a single run, for which neither need be started.
            variables |= {ENGINE_VARIABLE: str(lane), KERNELS_VARIABLE: str(pool)}
        processes = stack.enter_context(Processes(project.home / "logs", variables, project.root))
        # Not in the home: a run of its own beside a running project must not change what the
        # daemon of that one reads again every minute.
        servers = CodeServers(project, processes, folder=Path(own))
        parts = components(project, ports, workspace=servers.workspace, daemon=daemon)
        # Webserver and daemon keep for a minute what they found when they first looked at the code
        # servers, so these must be there before them.
        early = [part for part in parts if not part.needs_code_server]
        lasting = [engine(project, lane), kernels(pool)] if daemon else []
        processes.start([warm_parent(warm), *lasting, *early])
        _wait(warm.exists, processes, "warm-parent")
        progress("Loading the agents")
        needed = [LOCATION] if serve else locations(stores.versions, project.environment)
        servers.start(needed)
        while name := servers.awaited():
            _wait(lambda: bool(servers.list_loaded()), processes, name)
        processes.start([part for part in parts if part.needs_code_server])
        http = stack.enter_context(httpx.Client(timeout=60))
        for part in parts:
            if part.ready_url:
                progress(f"Waiting for {part.name}")
                _wait(lambda url=part.ready_url: _answers(http, url), processes, part.name)
        client = DagsterClient(f"http://{HOST}:{ports.webserver}", http)
        _wait(lambda: _all_loaded(client, needed), processes, "webserver")
        if daemon:
            _wait_a_while(lane.exists, processes)
        yield Platform(
            project,
            client,
            stores,
            processes,
            f"http://{HOST}:{ports.gateway}" if ports.gateway else None,
            jupyter_url(project, ports.jupyter) if ports.jupyter else None,
            servers,
        )


def _all_loaded(client: DagsterClient, locations: Sequence[str]) -> bool:
    found = client.locations()
    for problem in found.values():
        if problem is not None:
            raise RunError(f"Dagster could not load the agents: {problem}")
    return found.keys() >= set(locations)


def _wait(ready: Callable[[], bool], processes: Processes, name: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not ready():
        processes.check()
        if time.monotonic() > deadline:
            raise RunError(
                f"{name} was not ready after {_READY_SECONDS:g} s.",
                hint=f"Its log: {processes.log(name)}",
            )
        time.sleep(0.1)


def _wait_a_while(ready: Callable[[], bool], processes: Processes) -> None:
    """Waits for what need not be there: where another project on the same database has the place of
    the engine, this one's engine stands by, and its runs have processes of their own."""
    deadline = time.monotonic() + _ENGINE_SECONDS
    while not ready() and time.monotonic() < deadline:
        processes.check()
        time.sleep(0.1)


def _answers(http: Any, url: str) -> bool:
    import httpx

    try:
        return http.get(url).status_code == 200
    except httpx.HTTPError:
        return False
