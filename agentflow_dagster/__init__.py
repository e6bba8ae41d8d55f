"""AgentFlow: turns a notebook or a graph into a production agent on Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """What `%load_ext agentflow_dagster` calls: registers `%%node` and `%agentflow`."""
    from agentflow_dagster.jupyter import load_ipython_extension as load

    load(ipython)
