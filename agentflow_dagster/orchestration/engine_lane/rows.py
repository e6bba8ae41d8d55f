"""What a group of changes holds: rows of Dagster's tables and of ours, committed together."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dagster import AssetKey
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    DataVersion,
    compute_logical_data_version,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

from agentflow_dagster.orchestration.engine_lane.forms import Form, record_text
from agentflow_dagster.orchestration.engine_lane.run_texts import RunForm
from agentflow_dagster.stores.wait_rows import WaitChanges

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from dagster import DagsterRun, EventLogEntry

    from agentflow_dagster.stores.steps import StepRow


@dataclass(slots=True)
class EventRow:
    """One event; its id is known once its group is committed.

    Args:
        run_id: Whose.
        at: Unix seconds.
        form: What it is about.
        text: All of it.
    """

    run_id: str
    at: float
    form: Form
    text: str
    id: int = 0

    @classmethod
    def of(cls, entry: EventLogEntry) -> EventRow:
        """An event as Dagster's objects have it."""
        form = Form.of(entry)
        return cls(entry.run_id, entry.timestamp, form, form.filled())

    def record(self) -> str:
        """The event with its id, as the table of assets keeps an asset's newest."""
        return record_text(self.text, self.id)


@dataclass(slots=True)
class Made(EventRow):
    """The materialization of an asset. Which inputs it was made from is written when its group is
    committed: no other event can come between then.

    Args:
        parents: The assets that it depends on, each with its materialization in the same run, or
            None where there is none.
        code_version: The asset's.
        holes: What stands in its form beside its tags.
        data_version: Known once the group is committed.
    """

    parents: Mapping[AssetKey, Made | None] = field(default_factory=dict[AssetKey, "Made | None"])
    code_version: str = ""
    holes: Mapping[str, str] = field(default_factory=dict[str, str])
    data_version: str = ""

    def missing(self) -> list[AssetKey]:
        """Parents whose newest materialization has to be looked up."""
        return [key for key, made in self.parents.items() if made is None]

    def settle(self, found: Mapping[AssetKey, tuple[int, str]]) -> None:
        """Writes its tags.

        Args:
            found: Id and data version of the newest materialization of parents that were missing.
        """
        inputs = {
            key: (made.id, made.data_version) if made else found.get(key)
            for key, made in self.parents.items()
        }
        versions = {
            key: DataVersion(known[1]) if known else DEFAULT_DATA_VERSION
            for key, known in inputs.items()
        }
        self.data_version = compute_logical_data_version(self.code_version, versions).value
        tags = {CODE_VERSION_TAG: self.code_version, DATA_VERSION_TAG: self.data_version}
        for key in inputs:
            tags[get_input_data_version_tag(key)] = versions[key].value
        for key, known in inputs.items():
            tags[get_input_event_pointer_tag(key)] = str(known[0]) if known else NULL_EVENT_POINTER
        self.text = self.form.filled(**self.holes, tags=json.dumps(tags))

    def keep_little(self) -> None:
        """Forgets all but what assets that are made from it have to know, once it is committed."""
        self.text, self.parents, self.holes = "", {}, {}


@dataclass(frozen=True, slots=True)
class RunChange:
    """A run that is new, or has changed.

    Args:
        before: The run as the change supposes it; None where it is new.
        after: As it is to be.
        started_at, ended_at: Unix seconds, where the change begins or ends it.
        form: Of both; None has it made of the run itself.
    """

    before: DagsterRun | None
    after: DagsterRun
    started_at: float | None = None
    ended_at: float | None = None
    form: RunForm | None = None

    def texts(self) -> tuple[str, str]:
        """The run before the change and after it, as Dagster serializes it; "" where it is new."""
        form = self.form or RunForm.of(self.after)
        return form.text(self.before) if self.before else "", form.text(self.after)


@dataclass(slots=True)
class Group:
    """Changes that are committed together.

    Args:
        runs: What becomes of runs, by id.
        tags: Tags that runs get: id, name, value.
        events: In the order in which they happened.
        outputs: What steps left.
        taken: Events that get their run here, by the run's id.
        begun, ended: Runs that the engine owes an end from now on, or no more.
        waits: What becomes of what runs wait for.
        waiting: Who waits for it to be committed, by run.
    """

    runs: dict[str, RunChange] = field(default_factory=dict[str, RunChange])
    tags: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    events: list[EventRow] = field(default_factory=list[EventRow])
    outputs: list[StepRow] = field(default_factory=list["StepRow"])
    taken: dict[str, int] = field(default_factory=dict[str, int])
    begun: list[str] = field(default_factory=list[str])
    ended: list[str] = field(default_factory=list[str])
    waits: WaitChanges = field(default_factory=WaitChanges)
    waiting: dict[str, list[asyncio.Future[None]]] = field(
        default_factory=dict[str, "list[asyncio.Future[None]]"]
    )

    def told(self) -> list[asyncio.Future[None]]:
        """Who still waits for it to be committed."""
        return [told for of_run in self.waiting.values() for told in of_run if not told.done()]

    def by_run(self) -> list[Group]:
        """The same as one group for each run."""
        return self._parted(most=1)

    def slices(self, most: int) -> list[Group]:
        """The same in groups of about so many events, each run whole in one of them."""
        return [self] if len(self.events) <= most else self._parted(most)

    def _parted(self, most: int) -> list[Group]:
        """In groups that are full at so many events; a run without one counts as one."""
        events = Counter(event.run_id for event in self.events)
        parts: list[Group] = []
        of_run: dict[str, Group] = {}
        room = 0

        def of(run_id: str) -> Group:
            nonlocal room
            part = of_run.get(run_id)
            if part is None:
                if room <= 0:
                    parts.append(Group())
                    room = most
                part = of_run[run_id] = parts[-1]
                room -= events[run_id] or 1
            return part

        self._spread(of)
        return parts

    def _spread(self, of: Callable[[str], Group]) -> None:
        """Adds everything to the group of its run."""
        for run_id, change in self.runs.items():
            of(run_id).runs[run_id] = change
        for tag in self.tags:
            of(tag[0]).tags.append(tag)
        for event in self.events:
            of(event.run_id).events.append(event)
        for row in self.outputs:
            of(row.names[0]).outputs.append(row)
        for run_id, event_id in self.taken.items():
            of(run_id).taken[run_id] = event_id
        for run_id in self.begun:
            of(run_id).begun.append(run_id)
        for run_id in self.ended:
            of(run_id).ended.append(run_id)
        for run_id, changes in self.waits.by_run().items():
            of(run_id).waits.join(changes)
        for run_id, told in self.waiting.items():
            of(run_id).waiting[run_id] = told

    def change(self, change: RunChange) -> None:
        """Adds what becomes of a run to what the group has of it."""
        earlier = self.runs.get(change.after.run_id, change)
        self.runs[change.after.run_id] = RunChange(
            earlier.before,
            change.after,
            earlier.started_at or change.started_at,
            change.ended_at,
            change.form,
        )


_OF_ASSETS = frozenset({"ASSET_MATERIALIZATION", "ASSET_MATERIALIZATION_PLANNED"})


def newest_by_asset(events: Sequence[EventRow]) -> dict[str, tuple[EventRow, EventRow | None]]:
    """For each asset that events are about, in the order of its key: the last event, and the last
    materialization where there is one."""
    found: dict[str, tuple[EventRow, EventRow | None]] = {}
    for event in events:
        if (key := event.form.asset_key) is not None and event.form.type in _OF_ASSETS:
            made = event if isinstance(event, Made) else found.get(key, (event, None))[1]
            found[key] = (event, made)
    return dict(sorted(found.items()))
