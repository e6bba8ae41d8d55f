"""The code servers of a running project, one for each code location."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.operations.components import HOST, code_server, free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agentflow_dagster.operations.processes import Processes
    from agentflow_dagster.operations.project import Project


class CodeServers:
    """Starts a code server for a location, and tells webserver and daemon of it by a file.

    Args:
        project: Whose agents they serve.
        processes: Where they run.
        folder: Where the workspace file is written.
    """

    def __init__(self, project: Project, processes: Processes, *, folder: Path) -> None:
        self._project = project
        self._folder = folder
        self._processes = processes
        self._ports: dict[str, int] = {}
        self._listed: dict[str, int] = {}

    @property
    def workspace(self) -> Path:
        """The workspace file."""
        return self._folder / "workspace.yaml"

    @property
    def locations(self) -> Sequence[str]:
        """The locations that have a code server, in the workspace file or on the way there."""
        return list(self._ports)

    def start(self, locations: Sequence[str]) -> None:
        """Starts a code server for each that has none, all at once."""
        new = [name for name in locations if name not in self._ports]
        ports = dict(zip(new, free_ports(len(new)), strict=True))
        self._processes.start([code_server(self._project, *each) for each in ports.items()])
        self._ports |= ports

    def list_loaded(self) -> list[str]:
        """Writes those into the workspace file that have loaded their agents, or say why they
        cannot; the names of those that were not in it.
        """
        from agentflow_dagster.orchestration.client import code_server_answers

        new = [
            name
            for name, port in self._ports.items()
            if name not in self._listed and code_server_answers(HOST, port)
        ]
        if new:
            self._listed |= {name: self._ports[name] for name in new}
            entries = [
                f"  - grpc_server: {{host: {HOST}, port: {port}, location_name: {name}}}\n"
                for name, port in self._listed.items()
            ]
            self.workspace.write_text("load_from:\n" + "".join(entries))
        return new

    def awaited(self) -> str | None:
        """The process of one that is still loading, by name."""
        waiting = [name for name in self._ports if name not in self._listed]
        return self.process(waiting[0]) if waiting else None

    def process(self, location: str) -> str:
        """What the process of a location is called."""
        return code_server(self._project, location, self._ports[location]).name
