"""Which agent a subcommand is about: the notebook's own, unless it is said otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError
from agentflow_dagster.jupyter.here import notebook_here, unsaved

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from agentflow_dagster.jupyter.commands import Asked


def with_file(parser: argparse.ArgumentParser) -> None:
    """Adds `--file`."""
    parser.add_argument("--file", metavar="PATH", help="the notebook, where it cannot be told")


def which_file(asked: Asked) -> Path:
    """The notebook's file.

    Raises:
        UsageError: it cannot be told, or there is none.
    """
    return notebook_here(asked.session.namespace, asked.options.file)


def saved_file(asked: Asked) -> Path:
    """The notebook's file, in which everything is that ran here.

    Raises:
        UsageError: it is not.
    """
    path = which_file(asked)
    if told := unsaved(path, asked.session):
        raise UsageError(f"{path.name} is not what ran here: {told}")
    return path


def agent_name(asked: Asked) -> str:
    """The name of the notebook's agent.

    Raises:
        UsageError: the notebook holds none.
    """
    from agentflow_dagster.operations.agents import named_files

    path = which_file(asked)
    for found in named_files([path]):
        return found.name
    raise UsageError(f"{path.name} holds no agent.", hint="%agentflow check says why.")
