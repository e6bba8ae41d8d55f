"""The processes that make up a running project, and their command lines."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.token import project_token
from agentflow_dagster.orchestration.names import LOCATION, LOCATION_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from agentflow_dagster.operations.project import Project

HOST = "127.0.0.1"
_PATIENCE_SECONDS = 10.0
"""With an engine that does not answer."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the project listens on the loopback address; None leaves a component out.

    The ports of code servers are nobody's business: they are free ones (code_servers.py).
    """

    webserver: int
    gateway: int | None = None
    jupyter: int | None = None

    @classmethod
    def free(cls, *, gateway: bool = True, jupyter: bool = False) -> Ports:
        """Ports that nobody uses at this moment."""
        wanted = [True, gateway, jupyter]
        found = free_ports(sum(wanted))
        webserver, front, lab = (found.pop() if w else None for w in wanted)
        assert webserver is not None
        return cls(webserver, front, lab)

    def require_free(self) -> None:
        """Says which port is taken before anything is started.

        Raises:
            UsageError: one is.
        """
        given = [p for p in (self.webserver, self.gateway, self.jupyter) if p is not None]
        if len(set(given)) < len(given):
            raise UsageError("Two of the ports are the same.", hint="Give each its own.")
        for what, option, port in (
            ("Dagster's UI", "--dagster-port", self.webserver),
            ("the front door", "--gateway-port", self.gateway),
            ("JupyterLab", "--jupyter-port", self.jupyter),
        ):
            if port is not None and _in_use(port):
                raise UsageError(
                    f"Port {port}, for {what}, is in use.",
                    hint=f"Stop what uses it, or choose another: {option} {port + 1}",
                )


@dataclass(frozen=True, slots=True)
class Component:
    """One process.

    Args:
        name: What its log file and messages call it.
        command: Its command line.
        environment: Variables beside the project's.
        ready_url: Answers 200 once it is ready; None where starting is enough.
        answers: Whether it does, asked from time to time; it is killed where it does not.
        needs_code_server: Whether it is started only once the code servers answer.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    ready_url: str | None = None
    answers: Callable[[], bool] | None = None
    needs_code_server: bool = False


WARM_FIRST = (
    "agentflow_dagster.engine.bodies",
    "agentflow_dagster.operations",
    "agentflow_dagster.operations.serve",
    "agentflow_dagster.orchestration.compute_logs",
    "agentflow_dagster.orchestration.launcher",
    "agentflow_dagster.orchestration.resumed_execution",
    "agentflow_dagster.orchestration.storage",
    "agentflow_dagster.sandbox",
    "agentflow_dagster.stores.artifacts",
    "agentflow_dagster.stores.feeds",
    "agentflow_dagster.stores.inbox",
    "agentflow_dagster.stores.migration",
    "agentflow_dagster.stores.steps",
    "agentflow_dagster.stores.versions",
    "dagster._cli",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.storage.root",
    "dagster._core.storage.sqlite_storage",
    "dagster._grpc.server",
    "dagster._utils.test.definitions",
    "psycopg2.extras",
    "upath.implementations.local",
)
"""Modules that every run and code server needs, those among them that are imported late."""

WARM_LATER = ("httpx", "litellm", "agentflow_dagster.notebook.carrying_out")
"""Modules that take long to import and some runs need; whoever comes before them imports them."""


def warm_parent(socket_path: Path, *, later: Sequence[str] = WARM_LATER) -> Component:
    """The process that runs are forked from; it listens before it has imported anything."""
    return Component(
        "warm-parent",
        [
            *(sys.executable, "-X", "utf8"),
            *("-m", "agentflow_dagster.orchestration.warm", "--socket", str(socket_path)),
            *("--first", *WARM_FIRST, "--later", *later),
        ],
        environment={
            # Read when it is imported: without it LiteLLM asks the network for newer prices first.
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            # Arrow's allocator would have a thread, and papermill imports it.
            "JE_ARROW_MALLOC_CONF": "background_thread:false",
        },
    )


KERNEL_IMPORTS = ("pandas", "pyarrow")
"""Modules that kernels find imported, since most notebooks import them first."""
_KERNELS_AFTER_SECONDS = 5.0
"""The rest of the project starts first."""


def kernels(socket_path: Path) -> Component:
    """The process that has kernels ready for notebooks."""
    from agentflow_dagster.notebook.kernels import __main__ as program

    return Component(
        "kernels",
        [
            *(sys.executable, "-X", "utf8", program.__file__, "--socket", str(socket_path)),
            *("--after", str(_KERNELS_AFTER_SECONDS), "--import", *KERNEL_IMPORTS),
        ],
    )


def engine(project: Project, socket_path: Path) -> Component:
    """The process that carries out most runs."""
    from agentflow_dagster.orchestration.engine_lane.asking import answers

    return Component(
        "engine",
        [
            *(sys.executable, "-X", "utf8", "-m", "agentflow_dagster.operations.engine"),
            *("--socket", str(socket_path), "--project", str(project.root)),
        ],
        answers=partial(answers, str(socket_path), patience_seconds=_PATIENCE_SECONDS),
        environment={"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )


def components(project: Project, ports: Ports, *, workspace: Path, daemon: bool) -> list[Component]:
    """Every process of a project but its code servers and the one that these are forked from, in
    the order in which they are started."""
    python = [sys.executable, "-X", "utf8"]
    found = [
        Component(
            "webserver",
            [
                *python,
                *("-m", "agentflow_dagster.orchestration.webserver"),
                *("--host", HOST, "--port", str(ports.webserver), "--workspace", str(workspace)),
            ],
            ready_url=f"http://{HOST}:{ports.webserver}/server_info",
            needs_code_server=True,
        ),
    ]
    if daemon:
        command = ("-m", "agentflow_dagster.orchestration.daemon", "run")
        command += ("--workspace", str(workspace))
        found.append(Component("daemon", [*python, *command], needs_code_server=True))
    if ports.gateway is not None:
        found.append(_gateway(project, ports.gateway, ports.webserver, python))
    if ports.jupyter is not None:
        found.append(_jupyter(project, ports.jupyter, python))
    return found


def code_server(project: Project, location: str, port: int) -> Component:
    """The process that serves a code location, its reloads too."""
    return Component(
        f"code-server{location.removeprefix(LOCATION)}",
        [
            *(sys.executable, "-X", "utf8"),
            *("-m", "agentflow_dagster.orchestration.code_server", "start"),
            *("--python-file", str(project.root / "definitions.py")),
            *("--working-directory", str(project.root)),
            *("--location-name", location),
            *("--host", HOST, "--port", str(port)),
        ],
        environment={LOCATION_VARIABLE: location},
    )


def jupyter_url(project: Project, port: int) -> str:
    """JupyterLab's address, its token in it."""
    return f"http://{HOST}:{port}/lab?token={project_token(project)}"


def _gateway(project: Project, port: int, webserver: int, python: Sequence[str]) -> Component:
    return Component(
        "gateway",
        [
            *python,
            *("-m", "agentflow_dagster.gateway", "--host", HOST, "--port", str(port)),
            *("--project", str(project.root), "--dagster", f"http://{HOST}:{webserver}"),
        ],
        ready_url=f"http://{HOST}:{port}/healthz",
    )


def _jupyter(project: Project, port: int, python: Sequence[str]) -> Component:
    return Component(
        "jupyterlab",
        [
            *python,
            *("-m", "jupyterlab", "--no-browser", f"--ServerApp.root_dir={project.root}"),
            *(f"--ServerApp.ip={HOST}", f"--ServerApp.port={port}"),
            *("--ServerApp.port_retries=0", "--LabApp.default_url=/lab/tree/notebooks"),
            *(("--allow-root",) if _is_root() else ()),
        ],
        # By the environment, since a command line can be read by everyone on the machine.
        environment={"JUPYTER_TOKEN": project_token(project)},
        ready_url=f"http://{HOST}:{port}/api",
    )


def _is_root() -> bool:
    import os

    return os.geteuid() == 0


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses at this moment."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
