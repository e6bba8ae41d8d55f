"""What AgentFlow adds to a kernel: the magics `%%node` and `%agentflow`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension"]


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Registers the magics with a shell; loading again registers them anew."""
    from agentflow_dagster.jupyter.magics import AgentFlowMagics

    ipython.register_magics(AgentFlowMagics)
