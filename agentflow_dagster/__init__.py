"""AgentFlow: turns a notebook or a graph into a production agent on Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from agentflow_dagster.jupyter import glue as glue
    from agentflow_dagster.spec.builder import Agent as Agent
    from agentflow_dagster.spec.builder import LLMConfig as LLMConfig
    from agentflow_dagster.spec.builder import Workflow as Workflow
    from agentflow_dagster.spec.stored_types import StoredType as StoredType
    from agentflow_dagster.spec.stored_types import register_type as register_type

__version__ = "0.1.0"


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """What `%load_ext agentflow_dagster` calls: registers `%%node` and `%agentflow`."""
    from agentflow_dagster.jupyter import load_ipython_extension as load

    load(ipython)


def __getattr__(name: str) -> object:
    """`glue`, `register_type`, `StoredType`, `Agent`, `Workflow` and the parts of a document, each
    imported when it is asked for.

    Raises:
        AttributeError: there is no such name.
    """
    if name == "glue":
        from agentflow_dagster.jupyter import glue

        return glue
    if name in {"register_type", "StoredType"}:
        from agentflow_dagster.spec import stored_types

        return getattr(stored_types, name)
    if name[:1].isupper():
        from agentflow_dagster.spec import builder

        if name in builder.PARTS:
            return builder.PARTS[name]
        if name in {"Agent", "Workflow"}:
            return getattr(builder, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
