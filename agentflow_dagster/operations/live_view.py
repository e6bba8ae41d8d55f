"""Follows the runs of a project while they happen, whether or not it is up."""

from __future__ import annotations

import re
import time
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from agentflow_dagster.errors import RunError, UsageError
from agentflow_dagster.operations.agents import named_files
from agentflow_dagster.operations.stores import project_stores
from agentflow_dagster.ports.live_events import EventId, RunChanged
from agentflow_dagster.spec.diagnostics import nearest
from agentflow_dagster.spec.units import seconds
from agentflow_dagster.stores import database_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.orchestration.live_events import PostgresLiveEvents
    from agentflow_dagster.ports.live_events import LiveEvent, ModelSaid, RunEnd

_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Followed:
    """What is followed: one run, an agent's, or all where neither is named."""

    run_id: str | None = None
    agent: str | None = None


async def live_view(
    project: Project,
    target: str | None,
    tell: Callable[[LiveEvent], None],
    *,
    since: float | None = None,
    after: int | None = None,
    said: Callable[[ModelSaid], None] | None = None,
) -> RunEnd:
    """Tells each change as it is committed; one run until it ends, all others for ever.

    Args:
        project: Whose.
        target: A run's id, or an agent's name (with `-` or `_`); None is every run.
        tell: Gets the changes.
        since: From that moment on (Unix seconds); None is from now, of one run from its beginning.
        after: From that event's id on, in place of `since`.
        said: Told what models say meanwhile, of runs that were begun to be watched.

    Returns:
        How the run has ended.

    Raises:
        UsageError: there is no such run or agent.
        RunError: the run was deleted meanwhile.
        StoreError: there is no database.
    """
    from agentflow_dagster.orchestration.live_events import PostgresLiveEvents

    with database_url(project.make_home(), project.variables) as url:
        events = PostgresLiveEvents(url)
        try:
            followed = await _found(project, events, url, target)
            place = EventId(after) if after is not None else None
            if place is None and since is not None:
                place = await events.place_at(since)
            following = events.follow(
                run_id=followed.run_id, agent=followed.agent, after=place, said=said
            )
            async with aclosing(following):
                end = None
                async for event in following:
                    tell(event)
                    if isinstance(event, RunChanged):
                        end = event.end
            if end is None and followed.run_id is not None:
                end = await events.end_of(followed.run_id)  # It came before what was asked for.
        finally:
            await events.close()
    if end is None:
        raise RunError(f"Run {followed.run_id} was deleted.", retryable=False)
    return end


def moment(said: str) -> float:
    """Unix seconds of a time ago (`10m`, `1h30m`), or of a time as ISO 8601 has it.

    Raises:
        UsageError: it is neither.
    """
    with suppress(ValueError):
        return time.time() - seconds(said)
    try:
        return datetime.fromisoformat(said).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{said!r} is no time.", hint="Say 10m, 2h, 1d, or 2026-01-31T09:00."
        ) from None


async def _found(
    project: Project, events: PostgresLiveEvents, url: str, target: str | None
) -> Followed:
    with project_stores(project) as stores:  # tells of a database that cannot be used
        live = [one.version.agent for one in stores.versions.live(project.environment)]
    if not await events.has_tables():
        from agentflow_dagster.orchestration.instance import prepare_instance, write_instance

        prepare_instance(write_instance(project.make_home(), queued=True), url)
    if target is None:
        return Followed()
    if _RUN_ID.fullmatch(target):
        if not await events.has_run(target):
            raise UsageError(f"There is no run {target!r}.", hint="`agentflow runs` lists them.")
        return Followed(run_id=target)
    files = [file.name for file in named_files(list(project.working_files()))]
    named = {name.replace("_", "-"): name for name in [*files, *await events.agents(), *live]}
    wanted = target.replace("_", "-")
    if wanted not in named:
        raise UsageError(
            f"There is no agent {target!r}, nor a run of that id.",
            hint=nearest(wanted, named) or "`agentflow list` shows the agents.",
        )
    return Followed(agent=named[wanted])
