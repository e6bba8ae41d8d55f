"""Deletes what is past its age: runs with their events and values, settled calls, replies, files.

Runs go in batches, a transaction each, the oldest first. docs/decisions/0016-retention.md says what
stays however old it is.
"""

from __future__ import annotations

import math
import shutil
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentflow_dagster.orchestration import old_runs
from agentflow_dagster.stores import ages
from agentflow_dagster.stores.artifacts import FOLDERS, ArtifactFolder
from agentflow_dagster.stores.engine import create_engine, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import sqlalchemy as sa

    from agentflow_dagster.spec.values import JsonObject

MOST_RUNS = 500
"""In one transaction: some 0.2 s."""
_DAY = 86_400.0
_UNNAMED_SECONDS = _DAY
"""How old a file has to be that no output names: it is written before the row that names it."""


@dataclass(frozen=True, slots=True)
class Ages:
    """How many days runs are kept.

    Args:
        days: Of an agent that says nothing, and of runs that are no agent's; None is for ever.
        of_agents: What agents say, once for each environment; None where they say nothing.
    """

    days: int | None
    of_agents: Mapping[str, Sequence[int | None]] = field(
        default_factory=dict[str, "Sequence[int | None]"]
    )

    def of(self, agent: str) -> int | None:
        """Of one agent: the longest of what it says; None is for ever."""
        said = [self.days if days is None else days for days in self.of_agents.get(agent, [None])]
        return None if None in said else max(days for days in said if days is not None)

    def cut(self, now: float, agent: str = "") -> float:
        """What ended before goes (Unix seconds)."""
        days = self.of(agent) if agent else self.days
        return -math.inf if days is None else now - days * _DAY


@dataclass(slots=True)
class Cleared:
    """What has gone, or would go.

    Args:
        runs: How many, by agent; "" is those that are none's.
        whole: Whether nothing was left for want of time.
    """

    runs: Counter[str] = field(default_factory=Counter[str])
    events: int = 0
    outputs: int = 0
    calls: int = 0
    replies: int = 0
    files: int = 0
    file_bytes: int = 0
    whole: bool = True

    def to_json(self) -> JsonObject:
        """The fields that `--json` prints."""
        return {
            "runs": self.runs.total(),
            "runs_by_agent": dict(sorted(self.runs.items())),
            "events": self.events,
            "step_outputs": self.outputs,
            "calls": self.calls,
            "replies": self.replies,
            "files": self.files,
            "file_bytes": self.file_bytes,
            "whole": self.whole,
        }


@dataclass(frozen=True, slots=True)
class Retention:
    """Deletes what is past its age, over a database and the folders beside it.

    Args:
        database: Gives its URL, for as long as a block lasts.
        artifacts: Where large values are.
        logs: Where runs' output is kept, a folder for each.
        days: How long runs are kept whose agent does not say; None is for ever.
    """

    database: Callable[[], AbstractContextManager[str]]
    artifacts: Path
    logs: Path
    days: int | None

    def clear(
        self, *, seconds: float = math.inf, dry: bool = False, now: float | None = None
    ) -> Cleared:
        """Deletes, for so long at most; what is left then goes the next time.

        Args:
            seconds: No batch begins later.
            dry: Whether everything stays, and is only counted; files are not looked at.
            now: Unix seconds from which ages count.

        Raises:
            StoreError: the database refused.
        """
        moment = time.time() if now is None else now
        until = time.monotonic() + seconds
        cleared = Cleared()
        with self.database() as url, _connections(url) as engine:
            for _ in self._steps(engine, cleared, moment, dry=dry):
                if time.monotonic() >= until:
                    cleared.whole = False
                    break
        return cleared

    def _steps(
        self, engine: sa.Engine, cleared: Cleared, now: float, *, dry: bool
    ) -> Iterator[None]:
        with transaction(engine) as connection:
            known = Ages(self.days, ages.days_said(connection))
        cuts = {agent: known.cut(now, agent) for agent in known.of_agents}
        work = _Work(engine, self.logs, cuts, known.cut(now), dry=dry)
        yield from work.runs(cleared)
        yield from work.calls(cleared)
        yield from work.replies(cleared)
        if not dry:
            before = now - _UNNAMED_SECONDS
            yield from _files(engine, self.artifacts, cleared, before=before, now=now)


@contextmanager
def _connections(url: str) -> Generator[sa.Engine]:
    """Connections for as long as the block lasts."""
    engine = create_engine(url, pool_size=1)
    try:
        yield engine
    finally:
        engine.dispose()


@dataclass(frozen=True, slots=True)
class _Work:
    """The batches of one time; each step of an iterator is one transaction."""

    engine: sa.Engine
    logs: Path
    cuts: Mapping[str, float]
    otherwise: float
    dry: bool

    def runs(self, cleared: Cleared) -> Iterator[None]:
        latest = max(self.otherwise, *self.cuts.values(), -math.inf)
        if latest == -math.inf:
            return
        with transaction(self.engine) as connection:
            last = old_runs.last_before(connection, latest)
        after = 0
        while True:
            with transaction(self.engine) as connection:
                found = old_runs.ended_before(
                    *(connection, self.cuts),
                    otherwise=self.otherwise,
                    after=after,
                    last=last,
                    most=MOST_RUNS,
                )
                going = old_runs.without_kept(connection, found)
                if going and not self.dry:
                    gone = old_runs.delete(connection, going)
                    cleared.events += gone.events
                    cleared.outputs += gone.outputs
            cleared.runs.update(run.agent for run in going)
            if not self.dry:
                for run in going:
                    shutil.rmtree(self.logs / run.run_id, ignore_errors=True)
            if len(found) < MOST_RUNS:
                return
            after = found[-1].id
            yield

    def calls(self, cleared: Cleared) -> Iterator[None]:
        after = 0
        while True:
            with transaction(self.engine) as connection:
                gone = ages.forget_events(
                    *(connection, self.cuts),
                    otherwise=self.otherwise,
                    after=after,
                    most=MOST_RUNS,
                    dry=self.dry,
                )
            cleared.calls += len(gone)
            if len(gone) < MOST_RUNS:
                return
            after = max(gone)
            yield

    def replies(self, cleared: Cleared) -> Iterator[None]:
        while True:
            with transaction(self.engine) as connection:
                gone = ages.forget_replies(
                    *(connection, self.cuts),
                    otherwise=self.otherwise,
                    most=MOST_RUNS,
                    dry=self.dry,
                )
            cleared.replies += gone
            if self.dry or gone < MOST_RUNS:
                return
            yield


def _files(
    engine: sa.Engine, root: Path, cleared: Cleared, *, before: float, now: float
) -> Iterator[None]:
    """Deletes artifacts that no output names. It begins with another folder each hour, so that all
    have their turn where time is short."""
    folder = ArtifactFolder(root)

    def named(digests: Sequence[str]) -> set[str]:
        with transaction(engine) as connection:
            return ages.still_named(connection, digests)

    first = int(now // 3600) * 11 % FOLDERS
    for number in range(FOLDERS):
        for size in folder.drop((first + number) % FOLDERS, named, before=before):
            cleared.files += 1
            cleared.file_bytes += size
        yield
