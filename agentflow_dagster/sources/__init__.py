"""Where the events of polled triggers come from: files, databases, and connectors, a file each.

Plugins add connectors by the entry point `agentflow.event_sources`, which names a class of the
form of `ports.events.EventSource`.
"""

from __future__ import annotations

from agentflow_dagster.sources.connectors import all_sources, builtin_sources
from agentflow_dagster.sources.opening import ProjectSources

__all__ = ["ProjectSources", "all_sources", "builtin_sources"]
