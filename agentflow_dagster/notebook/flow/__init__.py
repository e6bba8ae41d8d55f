"""Follows values through all cells of a notebook, by their texts alone; nothing is run."""

from agentflow_dagster.notebook.flow.links import How, Links, follow

__all__ = ["How", "Links", "follow"]
