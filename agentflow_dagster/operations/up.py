"""Keeps a project up in the foreground, and stops it from elsewhere."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agentflow_dagster.errors import RunError
from agentflow_dagster.operations.announcement import announced, found_process
from agentflow_dagster.operations.components import Ports
from agentflow_dagster.operations.platform import start_platform
from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from agentflow_dagster.operations.platform import Platform
    from agentflow_dagster.operations.project import Project

_STOP_SECONDS = 60.0

__all__ = ["Ports", "missing_variables", "stay_up", "stop_running"]


@contextmanager
def stay_up(
    project: Project, ports: Ports, *, progress: Callable[[str], None]
) -> Generator[Platform]:
    """Starts the platform and lets other commands find it.

    Raises:
        UsageError: it is up already, or a port is in use.
        RunError: a part of it cannot be started.
    """
    with (
        announced(project) as announce,
        start_platform(project, ports, progress=progress) as platform,
    ):
        announce(platform)
        yield platform


def stop_running(project: Project) -> bool:
    """Stops the project's platform and waits until it is gone; False where none is up.

    Raises:
        RunError: it is still there after a minute.
    """
    running = found_process(project)
    if running is None:
        return False
    os.kill(int(running["pid"]), signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while found_process(project) is not None:
        if time.monotonic() > deadline:
            raise RunError(
                f"Process {running['pid']} is still up after {_STOP_SECONDS:g} s.",
                hint=f"Its logs are in {project.home / 'logs'}.",
            )
        time.sleep(0.1)
    return True


def missing_variables(platform: Platform) -> dict[str, list[str]]:
    """For each live agent, the declared environment variables and secrets that are not set."""
    missing: dict[str, list[str]] = {}
    for live in platform.stores.versions.live(platform.project.environment):
        agent = parse_agent(live.version.document)
        if isinstance(agent, tuple):
            continue
        names = [*agent.spec.env, *agent.spec.secrets]
        if unset := [name for name in names if not platform.project.variables.get(name)]:
            missing[agent.name] = unset
    return missing
