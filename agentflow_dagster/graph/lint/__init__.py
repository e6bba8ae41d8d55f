"""Warnings about what works and is unwise: one small rule a function, each with a stable code.

A rule is given a `Subject`, an agent without errors, and yields diagnostics. `rules.py` lists them.
"""

from agentflow_dagster.graph.lint.rules import lint

__all__ = ["lint"]
