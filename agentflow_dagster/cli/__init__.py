"""The command `agentflow`. Each command's module is imported only when it is called."""

from agentflow_dagster.cli.main import main

__all__ = ["main"]
