"""Polled triggers through an agent's sensor: whatever dies where, each event starts one run."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from dagster import build_sensor_context
from sqlalchemy import event
from sqlalchemy.engine import Engine

from agentflow_dagster.errors import SourceError
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.polling import Asking, Poller
from agentflow_dagster.ports.events import Polled, Revision, SourceEvent
from agentflow_dagster.stores.tables import inbox
from tests.conftest import run_on
from tests.orchestration.bench import compiled
from tests.orchestration.claims import end_claims
from tests.orchestration.samples import agent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from dagster._core.definitions.sensor_definition import SensorExecutionData

    from agentflow_dagster.ports.events import Source
    from agentflow_dagster.spec.triggers import Trigger
    from agentflow_dagster.spec.values import JsonValue
    from tests.orchestration.bench import Bench

NODES = '    answer: {kind: ai.chat, with: {prompt: "{{input.body}}"}}\n'


def watcher(name: str, triggers: str, *, more: str = "") -> str:
    inputs = "{body: {type: string, maxLength: 100}}"
    return agent(name, NODES, inputs=inputs, more=f"{more}\n  triggers:\n{triggers}")


FILES = watcher(
    "file-watcher",
    "    drop: {file: {path: 'in/*.txt', settle: 1ms}, input: {body: '{{event.text}}'}}",
)
LISTS = watcher(
    "lister",
    "\n".join(
        f"    {n}: {{event: {{source: s, config: {{name: {n}}}, every: 1ms}},"
        " input: {body: '{{event.n}}'}}"
        for n in ("one", "two")
    ),
    more="secrets: [TOKEN]",
)


class Killed(BaseException):
    """What no code catches, as a killed process runs none."""


@dataclass
class Numbers:
    """A source of as many events as it is told of; the cursor is how many were given."""

    count: int = 0
    before: Callable[[], object] = bool
    asked: list[JsonValue] = field(default_factory=list)

    def poll(self, cursor: JsonValue, *, limit: int, seconds: float) -> Polled:
        del seconds
        self.asked.append(cursor)
        self.before()
        done = int(str(cursor or 0))
        ends = min(self.count, done + limit)
        return Polled([SourceEvent(f"n{n}", {"n": str(n)}) for n in range(done, ends)], ends)


@dataclass
class Lists:
    """The sources of `lister`."""

    one: Numbers = field(default_factory=Numbers)
    two: Numbers = field(default_factory=Numbers)

    def of(self, trigger: Trigger, scope: Mapping[str, Mapping[str, str]]) -> Source:
        del scope
        assert trigger.event is not None
        return self.one if trigger.event.config["name"] == "one" else self.two


@pytest.fixture
def lists(bench: Bench) -> Lists:
    bench.serve(LISTS)
    bench.sources = made = Lists()
    return made


def sense(bench: Bench, name: str) -> SensorExecutionData:
    sensor = bench.repository.get_sensor_def(names.sensor_name(name))
    with build_sensor_context(
        bench.instance, resources=bench.resources, repository_def=bench.repository
    ) as context:
        return sensor.evaluate_tick(context)


def started(bench: Bench, name: str) -> list[str]:
    """Ticks until nothing is owed a run any more; the bodies of the runs that were started."""
    bodies: list[str] = []
    while True:
        requests = sense(bench, name).run_requests or []
        if not requests and not bench.stores.inbox.pending(name):
            return bodies
        job = names.dagster_name(name)
        bodies += [r.run_config["ops"][job]["config"]["input"]["body"] for r in requests]
        bench.pretend_started(names.job_name(name), requests)
        end_claims(bench)


def rejected(bench: Bench) -> list[str]:
    engine = sa.create_engine(bench.database_url)
    with engine.connect() as connection:
        told = connection.scalars(
            sa.select(inbox.c.reason).where(inbox.c.state == "rejected").order_by(inbox.c.id)
        ).all()
    engine.dispose()
    return [str(t) for t in told]


def test_events_become_runs_once(bench: Bench, lists: Lists) -> None:
    lists.one.count = 3
    assert started(bench, "lister") == ["0", "1", "2"]
    lists.one.count = 4
    assert started(bench, "lister") == ["3"]
    (request,) = [r for r in bench.instance.get_runs() if r.tags["dagster/run_key"] == "inbox-4"]
    assert request.tags["agentflow/trigger"] == "one"


@pytest.fixture
def at_each_statement() -> Generator[list[int]]:
    """Kills before the n-th statement or commit, where n is the list's item."""
    left: list[int] = []

    def count(*_: Any) -> None:
        if left:
            left[0] -= 1
            if left[0] == 0:
                left.clear()
                raise Killed

    event.listen(Engine, "before_cursor_execute", count)
    event.listen(Engine, "commit", count)
    yield left
    event.remove(Engine, "before_cursor_execute", count)
    event.remove(Engine, "commit", count)


@pytest.mark.fault
def test_killed_at_any_statement_nothing_is_lost_or_doubled(
    bench: Bench, lists: Lists, at_each_statement: list[int]
) -> None:
    bodies: list[str] = []
    kills = 0
    for statement in range(1, 60):
        before = lists.one.count
        lists.one.count += 2
        at_each_statement[:] = [statement]
        try:
            sense(bench, "lister")
        except Killed:
            kills += 1
        survived = bool(at_each_statement)
        at_each_statement.clear()
        new = started(bench, "lister")
        assert new == [str(before), str(before + 1)], statement
        bodies += new
        if survived:
            break
    assert kills > 10
    assert bodies == [str(n) for n in range(lists.one.count)]


def test_a_source_that_raises_is_told_and_the_others_go_on(bench: Bench, lists: Lists) -> None:
    bench.secrets.given.values["TOKEN"] = "s3cr3t-token"

    def broken() -> None:
        raise SourceError("No answer to s3cr3t-token.", hint="Mend it.")

    lists.one.before = broken
    lists.two.count = 1
    assert started(bench, "lister") == ["0"]
    told = sense(bench, "lister").skip_message
    assert told == "No event is waiting.\none: No answer to ***. Mend it."
    lists.one.before = bool
    lists.one.count = 1
    assert started(bench, "lister") == ["0"]


def test_a_thousand_events_are_taken_some_at_a_time(bench: Bench, lists: Lists) -> None:
    lists.one.count = 1000
    requests = sense(bench, "lister").run_requests or []
    assert len(requests) == 100
    assert lists.one.asked == [None]
    assert len(started(bench, "lister")) == 1000


def test_every_is_respected(bench: Bench) -> None:
    bench.serve(LISTS.replace("name: one}, every: 1ms", "name: one}, every: 1h"))
    bench.sources = made = Lists()
    made.one.before = lambda: (_ for _ in ()).throw(SourceError("No."))
    for _ in range(3):
        sense(bench, "lister")
    assert (len(made.one.asked), len(made.two.asked)) == (1, 3)


def test_a_clock_that_was_set_back_keeps_no_source_from_being_asked(bench: Bench) -> None:
    bench.serve(LISTS.replace("name: one}, every: 1ms", "name: one}, every: 1m"))
    bench.sources = made = Lists()
    sense(bench, "lister")
    run_on(bench.database_url, "UPDATE agentflow.cursors SET polled_at = now() + interval '1 hour'")
    sense(bench, "lister")
    assert len(made.one.asked) == 2


def test_a_change_of_the_source_begins_anew_and_doubles_nothing(bench: Bench, lists: Lists) -> None:
    lists.one.count = 2
    assert len(started(bench, "lister")) == 2
    bench.serve(LISTS.replace("name: one}", "name: one, more: 1}"))
    lists.one.count = 3
    lists.one.asked.clear()
    assert started(bench, "lister") == ["2"]
    assert lists.one.asked[0] is None


def test_two_ticks_at_once_take_each_event_once(bench: Bench, lists: Lists) -> None:
    """Another daemon's tick gets in between the poll and the taking."""
    lists.one.count = 2

    def meanwhile() -> None:
        lists.one.before = bool
        bench.serve(LISTS)  # Definitions of its own, as another process has.
        sense(bench, "lister")

    lists.one.before = meanwhile
    assert started(bench, "lister") == ["0", "1"]


def test_a_source_that_hangs_is_left_alone_until_it_comes_back(bench: Bench) -> None:
    plan = compiled(LISTS).plan
    lists, release = Lists(), threading.Event()
    lists.one.before = release.wait
    lists.two.count = 1
    adapter = bench.secrets.adapter()
    asking = Asking(bench.stores.feeds, lists, adapter, {})
    poller = Poller(plan.agent, seconds=-0.9)
    assert poller.poll(asking) == ["one: It was still at work after -0.9 s."]
    assert len(bench.stores.inbox.pending("lister")) == 1
    assert poller.poll(asking) == ["one: An earlier poll has not come back yet."]
    assert len(lists.one.asked) == 1
    release.set()
    while poller.poll(asking):
        pass
    assert len(lists.one.asked) >= 2  # On a busy machine one more poll may be too slow.


def test_files_through_the_sensor(bench: Bench) -> None:
    bench.serve(FILES)
    folder = bench.data / "in"
    folder.mkdir(parents=True)
    for n in range(120):
        (folder / f"{n:03}.txt").write_text(f"file {n}")
    (folder / "bad.txt").write_bytes(b"\xff")
    (folder / "long.txt").write_text("x" * 101)
    bodies: list[str] = []
    for _ in range(5):
        bodies += started(bench, "file-watcher")
    assert bodies == [f"file {n}" for n in range(120)]
    unreadable, unfit = rejected(bench)
    assert "in/bad.txt: Not UTF-8" in unreadable
    assert "too long" in unfit
    (folder / "003.txt").write_text("file 3, mended")
    sense(bench, "file-watcher")
    assert started(bench, "file-watcher") == ["file 3, mended"]


def test_a_cursor_that_somebody_else_moved_is_left(bench: Bench) -> None:
    feeds = bench.stores.feeds
    assert feeds.take("a", "t", "r", Polled([SourceEvent("k", {})], 1), after=Revision(0)) == 1
    late = Polled([SourceEvent("other", {})], 9)
    assert feeds.take("a", "t", "r", late, after=Revision(0)) is None
    place = feeds.place("a", "t", "r")
    assert (place.cursor, place.revision) == (1, 1)
    assert len(bench.stores.inbox.pending("a")) == 1
    again = Polled([SourceEvent("k", {}), SourceEvent("new", {})], 2)
    assert feeds.take("a", "t", "r", again, after=place.revision) == 1
    feeds.failed("a", "t", "r", after=Revision(2))
    assert (feeds.place("a", "t", "r").cursor, feeds.place("a", "t", "r").revision) == (2, 3)
    assert feeds.place("a", "t", "otherwise").cursor is None
