"""AgentFlow: turns a notebook or a graph into a production agent on Dagster."""

__version__ = "0.1.0"
