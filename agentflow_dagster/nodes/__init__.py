"""The node kinds, one file each; plugins add theirs through the entry point `agentflow.nodes`.

A plugin's entry point names a class derived from `ports.kind.Kind`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.nodes.agent_run import RunAgent
from agentflow_dagster.nodes.ai_agent import Agent
from agentflow_dagster.nodes.ai_chat import Chat
from agentflow_dagster.nodes.ai_classify import Classify
from agentflow_dagster.nodes.ai_complete import Complete
from agentflow_dagster.nodes.ai_extract import Extract
from agentflow_dagster.nodes.ai_summarize import Summarize
from agentflow_dagster.nodes.code_notebook import Notebook
from agentflow_dagster.nodes.code_python import Python
from agentflow_dagster.nodes.human_approval import Approval
from agentflow_dagster.nodes.human_input import Input
from agentflow_dagster.nodes.logic_delay import Delay
from agentflow_dagster.nodes.logic_if import If
from agentflow_dagster.nodes.logic_loop import Loop
from agentflow_dagster.nodes.logic_merge import Merge
from agentflow_dagster.nodes.logic_parallel import Parallel
from agentflow_dagster.nodes.logic_switch import Switch
from agentflow_dagster.nodes.tool_callback import Callback
from agentflow_dagster.nodes.tool_http import Http
from agentflow_dagster.nodes.transform_extract import Extract as Find
from agentflow_dagster.nodes.transform_format import Format
from agentflow_dagster.nodes.transform_table import Table
from agentflow_dagster.nodes.transform_validate import Validate
from agentflow_dagster.ports.kind import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.metadata import EntryPoint

    from agentflow_dagster.spec.kind import KindConfig

ENTRY_POINT = "agentflow.nodes"


def builtin_kinds() -> dict[str, Kind[KindConfig]]:
    """The kinds that ship with AgentFlow, by name."""
    kinds = (
        *(Agent(), Chat(), Classify(), Complete(), Extract(), Summarize()),
        *(Approval(), Input()),
        *(Delay(), If(), Loop(), Merge(), Parallel(), Switch()),
        *(Find(), Format(), Table(), Validate()),
        *(Notebook(), Python(), Callback(), Http(), RunAgent()),
    )
    return {kind.name: cast("Kind[KindConfig]", kind) for kind in kinds}


@cache
def installed_plugins() -> Sequence[EntryPoint]:
    """The entry points of plugins, looked for once in a process: that reads a file of every
    installed package. They are not loaded."""
    from importlib.metadata import entry_points

    return list(entry_points(group=ENTRY_POINT))


def all_kinds() -> dict[str, Kind[KindConfig]]:
    """Built-in kinds and those of installed plugins.

    Raises:
        UsageError: a plugin cannot be loaded, or takes a name that is taken.
    """
    kinds = builtin_kinds()
    for entry in installed_plugins():
        try:
            kind = entry.load()()
        except Exception as problem:
            raise UsageError(
                f"The plugin {entry.name!r} ({entry.value}) cannot be loaded: {problem!r}.",
                hint="Mend or uninstall it.",
            ) from problem
        if not isinstance(kind, Kind):
            raise UsageError(
                f"The plugin {entry.name!r} ({entry.value}) is no node kind.",
                hint="Its entry point names a class derived from ports.kind.Kind.",
            )
        added = cast("Kind[KindConfig]", kind)
        if added.name in kinds:
            raise UsageError(f"The plugin {entry.value} takes {added.name!r}, which exists.")
        kinds[added.name] = added
    return kinds
