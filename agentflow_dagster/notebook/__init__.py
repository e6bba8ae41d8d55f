"""Reads notebooks: which names cells pass to each other, and the agent document that they make."""

from agentflow_dagster.notebook.cells import Notebook, NotebookCell, read_notebook
from agentflow_dagster.notebook.dataflow import analyse
from agentflow_dagster.notebook.document import read_agent
from agentflow_dagster.notebook.names import Binding, CellNames, Unknown
from agentflow_dagster.notebook.node_line import NodeLine, describe_node_line, parse_node_line
from agentflow_dagster.notebook.papermill_run import PapermillNotebooks

__all__ = [
    "Binding",
    "CellNames",
    "NodeLine",
    "Notebook",
    "NotebookCell",
    "PapermillNotebooks",
    "Unknown",
    "analyse",
    "describe_node_line",
    "parse_node_line",
    "read_agent",
    "read_notebook",
]
