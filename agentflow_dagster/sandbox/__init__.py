"""Runs authors' code apart from this process. Every way to do so stands behind `ports.code`."""

from agentflow_dagster.sandbox.child_process import ChildProcess

__all__ = ["ChildProcess"]
