"""The connectors: those that ship with AgentFlow, and those of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.sources.http_json import HttpJson

if TYPE_CHECKING:
    from agentflow_dagster.ports.events import EventSource

ENTRY_POINT = "agentflow.event_sources"
_PARTS = ("name", "config", "event_schema", "poll")


def builtin_sources() -> dict[str, EventSource]:
    """The connectors that ship with AgentFlow, by name."""
    return {source.name: source for source in (HttpJson(),)}


def all_sources() -> dict[str, EventSource]:
    """Built-in connectors and those of installed plugins.

    Raises:
        UsageError: a plugin cannot be loaded, or takes a name that is taken.
    """
    from importlib.metadata import entry_points

    sources = builtin_sources()
    for entry in entry_points(group=ENTRY_POINT):
        try:
            made: Any = entry.load()()
        except Exception as problem:
            raise UsageError(
                f"The plugin {entry.name!r} ({entry.value}) cannot be loaded: {problem!r}.",
                hint="Mend or uninstall it.",
            ) from problem
        if not all(hasattr(made, part) for part in _PARTS):
            raise UsageError(
                f"The plugin {entry.name!r} ({entry.value}) is no event source.",
                hint="Its entry point names a class with " + ", ".join(_PARTS) + ".",
            )
        source = cast("EventSource", made)
        if source.name in sources:
            raise UsageError(f"The plugin {entry.value} takes {source.name!r}, which exists.")
        sources[source.name] = source
    return sources
