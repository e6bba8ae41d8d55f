"""Groups are committed whole or not at all, once, and in the order of their events."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import pytest
import sqlalchemy as sa
from dagster import DagsterRun, DagsterRunStatus

from agentflow_dagster.orchestration.engine_lane import writer as writer_module
from agentflow_dagster.orchestration.engine_lane.place import LostPlaceError
from agentflow_dagster.orchestration.engine_lane.rows import EventRow, Group, RunChange
from agentflow_dagster.orchestration.engine_lane.writer import Writer
from agentflow_dagster.stores.connection import connect
from tests.orchestration.lane import writing
from tests.orchestration.test_storage import EACH, made, seen

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from agentflow_dagster.stores.connection import Connection
    from tests.orchestration.bench import Bench


@pytest.fixture
def reader(bench: Bench) -> Generator[sa.Engine]:
    engine = sa.create_engine(bench.database_url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


def new_run(writer: Writer, **tags: str) -> str:
    run = DagsterRun("job", run_id=str(uuid.uuid4()), status=DagsterRunStatus.STARTED, tags=tags)
    writer.group.change(RunChange(None, run))
    return run.run_id


async def test_a_reader_that_goes_on_from_an_id_misses_nothing(
    bench: Bench, reader: sa.Engine
) -> None:
    followed: list[int] = []

    def stock() -> None:
        for number in range(EACH):
            bench.instance.event_log_storage.store_event(made("a", number))

    async def ours(writer: Writer) -> None:
        for number in range(EACH):
            writer.group.events.append(EventRow.of(made("b", number)))
            await writer.committed("run-b")

    async with writing(bench) as writer:
        work = asyncio.gather(asyncio.to_thread(stock), ours(writer))
        while not work.done():
            followed += await asyncio.to_thread(seen, reader, followed[-1] if followed else 0)
        await work
    followed += seen(reader, followed[-1])
    assert len(followed) == 2 * EACH
    assert followed == seen(reader, 0)


async def test_what_the_database_refuses_is_told_to_its_run_alone(bench: Bench) -> None:
    async with writing(bench) as writer:
        good, bad = new_run(writer, note="fine"), new_run(writer, note="a zero \0 in it")
        told = await asyncio.gather(
            writer.committed(good), writer.committed(bad), return_exceptions=True
        )
        assert told[0] is None
        assert isinstance(told[1], asyncpg.PostgresError)
        later = new_run(writer)
        await writer.committed(later)
    assert bench.instance.get_run_by_id(good) is not None
    assert bench.instance.get_run_by_id(bad) is None
    assert bench.instance.get_run_by_id(later) is not None


async def test_a_refusal_keeps_the_connection(bench: Bench) -> None:
    opened: list[Connection] = []

    async def counted(url: str) -> Connection:
        opened.append(await connect(url))
        return opened[-1]

    async with writing(bench, counted) as writer:
        with pytest.raises(asyncpg.PostgresError):
            await writer.committed(new_run(writer, note="a zero \0 in it"))
        await writer.committed(new_run(writer))
    assert len(opened) == 1


async def test_a_connection_that_is_cut_is_opened_again(bench: Bench, reader: sa.Engine) -> None:
    async with writing(bench) as writer:
        await writer.committed(new_run(writer))
        with reader.connect() as connection:
            cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE :our"
            assert connection.execute(sa.text(cut), {"our": "COMMIT%"}).rowcount
        run_id = new_run(writer)
        await writer.committed(run_id)
    assert bench.instance.get_run_by_id(run_id) is not None


class CutAtCommit:
    """A connection that is lost at the first commit, which is done all the same, or is not."""

    cuts = 1
    done = True

    def __init__(self, real: Connection) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        async with self._real.transaction():
            yield
            if CutAtCommit.cuts and not CutAtCommit.done:
                CutAtCommit.cuts -= 1
                raise ConnectionResetError("cut")
        if CutAtCommit.cuts:
            CutAtCommit.cuts -= 1
            raise ConnectionResetError("cut")


@pytest.mark.parametrize("done", [True, False])
async def test_a_commit_whose_answer_is_lost_is_done_once(
    bench: Bench, reader: sa.Engine, done: bool
) -> None:
    CutAtCommit.cuts, CutAtCommit.done = 1, done

    async def cut(url: str) -> Any:
        return CutAtCommit(await connect(url))

    async with writing(bench, cut) as writer:
        writer.group.events.append(EventRow.of(made("a", 1)))
        await writer.committed("run-a")
    assert CutAtCommit.cuts == 0
    assert len(seen(reader, 0)) == 1


async def test_one_that_has_lost_its_place_ends(bench: Bench) -> None:
    async def lost(url: str) -> Any:
        raise LostPlaceError(url)

    writer = Writer(lambda: lost(bench.database_url))
    run_id = new_run(writer)
    writer.wake()
    with pytest.raises(LostPlaceError):
        await writer.run()
    assert bench.instance.get_run_by_id(run_id) is None


async def test_a_run_that_another_has_ended_stays_so(bench: Bench) -> None:
    async with writing(bench) as writer:
        run_id = new_run(writer, note="x")
        await writer.committed(run_id)
        run = bench.instance.get_run_by_id(run_id)
        assert run is not None
        bench.instance.add_run_tags(run_id, {"by": "somebody"})
        bench.instance.report_run_canceled(run)
        writer.group.change(RunChange(run, run.with_status(DagsterRunStatus.SUCCESS)))
        await writer.committed(run_id)
    found = bench.instance.get_run_by_id(run_id)
    assert found is not None
    assert (found.status, found.tags["by"]) == (DagsterRunStatus.CANCELED, "somebody")


async def test_tags_that_another_has_added_stay(bench: Bench) -> None:
    async with writing(bench) as writer:
        run_id = new_run(writer, note="x")
        await writer.committed(run_id)
        run = bench.instance.get_run_by_id(run_id)
        assert run is not None
        bench.instance.add_run_tags(run_id, {"by": "somebody"})
        writer.group.change(RunChange(run, run.with_status(DagsterRunStatus.SUCCESS)))
        await writer.committed(run_id)
    found = bench.instance.get_run_by_id(run_id)
    assert found is not None
    assert (found.status, found.tags["by"]) == (DagsterRunStatus.SUCCESS, "somebody")


def test_a_large_group_is_committed_in_slices() -> None:
    group = Group()
    for number in range(10):
        entry = cast("Any", made("a", number))._replace(run_id=f"run-{number % 5}")
        group.events.append(EventRow.of(entry))
        (group.begun if number < 5 else group.ended).append(entry.run_id)
    assert group.slices(10) == [group]
    slices = group.slices(3)
    of_runs = [{event.run_id for event in one.events} for one in slices]
    assert of_runs == [{"run-0", "run-1"}, {"run-2", "run-3"}, {"run-4"}]
    assert [one.begun for one in slices] == [one.ended for one in slices]
    assert sum(len(one.events) for one in slices) == 10


async def test_a_burst_has_its_turns_in_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, and what comes of the first is begun before the last have theirs."""
    monkeypatch.setattr(writer_module, "_TURNS", 3)
    writer = Writer(nobody)
    rounds = 0
    had: list[tuple[int, int]] = []

    async def one(number: int) -> None:
        await writer.turn()
        had.append((rounds, number))

    async def count() -> None:
        nonlocal rounds
        while len(had) < 7:
            rounds += 1
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(one(number)) for number in range(8)]
    counting = asyncio.create_task(count())
    await asyncio.sleep(0)
    tasks[4].cancel()  # its turn is the next one's
    await asyncio.gather(*tasks, counting, return_exceptions=True)
    assert [number for _, number in had] == [0, 1, 2, 3, 5, 6, 7]
    in_rounds = Counter(of_round for of_round, _ in had)
    assert len(in_rounds) >= 3
    assert max(in_rounds.values()) == 3
    await asyncio.wait_for(writer.turn(), 5)


async def nobody() -> Connection:
    raise AssertionError
