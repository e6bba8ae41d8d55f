"""JupyterLab alone, started with the command line with which `agentflow up` starts it."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from agentflow_dagster.operations.components import Ports, components, jupyter_url
from agentflow_dagster.operations.processes import Processes
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

    from agentflow_dagster.operations.project import Project


_BUNDLE = Path(__file__).parents[2] / ".ci" / "graph"


def bundle_widgets() -> None:
    """Makes the widgets' program, where `make` has not made it."""
    subprocess.run([_BUNDLE], check=True)


@contextmanager
def jupyterlab(project: Project, settings: Path) -> Generator[str]:
    """The address of a project's invoice notebook in JupyterLab.

    Args:
        project: Whose files it shows.
        settings: Where it keeps what its user sets, rather than in the real user's home.
    """
    variables = {**project.variables, "JUPYTER_CONFIG_DIR": str(settings)}
    own = replace(project, variables=variables)
    ports = Ports.free(gateway=False, jupyter=True)
    assert ports.jupyter is not None
    parts = components(own, ports, workspace=own.home / "workspace.yaml", daemon=False)
    lab = next(part for part in parts if part.name == "jupyterlab")
    with Processes(own.home / "logs", variables, own.root) as processes:
        processes.start([lab])
        wait_until(lambda: processes.check() or _answers(str(lab.ready_url)))
        address = jupyter_url(own, ports.jupyter)
        yield address.replace("/lab?", "/lab/tree/notebooks/invoice_check.ipynb?")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False
