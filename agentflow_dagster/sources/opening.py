"""A trigger's source, made ready: its folder, its address, its secrets filled in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never, cast

from agentflow_dagster.errors import RunError, SourceError
from agentflow_dagster.graph.templates import fill
from agentflow_dagster.ports.events import Polled
from agentflow_dagster.sources.connectors import all_sources
from agentflow_dagster.sources.database import DatabaseSource
from agentflow_dagster.sources.files import FileSource
from agentflow_dagster.spec.parse import validated
from agentflow_dagster.spec.triggers import DatabaseWatch, FileWatch, SourceWatch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import BaseModel

    from agentflow_dagster.ports.events import EventSource, Source
    from agentflow_dagster.spec.triggers import Trigger
    from agentflow_dagster.spec.values import JsonObject, JsonValue, Value


@dataclass(frozen=True, slots=True)
class ProjectSources:
    """The sources of a project's triggers.

    Args:
        data: The folder that file triggers look into.
    """

    data: Path

    def of(self, trigger: Trigger, scope: Mapping[str, Mapping[str, str]]) -> Source:
        """The source of a polled trigger; `scope` has the values of `env` and `secret`.

        Raises:
            SourceError: it cannot be made ready: a variable is not set, a connector is missing.
        """
        watch = trigger.polled
        match watch:
            case FileWatch():
                return FileSource(self.data, watch)
            case DatabaseWatch():
                return DatabaseSource(str(_filled(watch.url, scope)), watch)
            case SourceWatch():
                return _connector(watch, scope)
            case None:
                raise SourceError("This trigger has no source that could be asked.")
            case _:
                assert_never(watch)


@dataclass(frozen=True, slots=True)
class _Connector:
    """A connector with its config."""

    source: EventSource
    config: BaseModel

    def poll(self, cursor: JsonValue, *, limit: int, seconds: float) -> Polled:
        return Polled(*self.source.poll(cursor, self.config, limit=limit, seconds=seconds))


def _connector(watch: SourceWatch, scope: Mapping[str, Mapping[str, str]]) -> Source:
    source = all_sources().get(watch.source)
    if source is None:
        raise SourceError(
            f"There is no event source {watch.source!r} here.",
            hint="Install the plugin that has it.",
        )
    given = cast("JsonObject", _filled(dict(watch.config), scope))
    config = validated(source.config, given)
    if isinstance(config, tuple):
        raise SourceError(f"{watch.source}: {config[0].message}", hint=config[0].hint)
    return _Connector(source, config)


def _filled(value: JsonValue, scope: Mapping[str, Mapping[str, str]]) -> Value:
    try:
        return fill(value, cast("Mapping[str, Value]", scope))
    except RunError as problem:
        raise SourceError(problem.message, hint="Set the variable where the agent runs.") from None
