"""The engine is asked over a socket that only its owner may open."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration.asked_lines import NobodyListensError
from agentflow_dagster.orchestration.engine_lane.asking import (
    LONGEST,
    Answer,
    Answering,
    CancelRun,
    EngineLines,
    StartRun,
    ask,
)
from agentflow_dagster.orchestration.engine_lane.server import listening
from tests.orchestration import lane
from tests.orchestration.samples import TRIAGE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.orchestration.bench import Bench

NOBODY = "00000000-0000-0000-0000-000000000000"


async def test_it_starts_runs(bench: Bench, tmp_path: Path) -> None:
    bench.serve(TRIAGE)
    run = bench.prepare("support-triage", {"body": "a bug"})
    path = tmp_path / "engine"
    async with lane.engine(bench) as engine, listening(engine, path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        answer = await asyncio.to_thread(ask, str(path), StartRun(run_id=run.run_id))
        assert answer == Answer()
        await engine.ended(run.run_id)
        stopped = await asyncio.to_thread(ask, str(path), CancelRun(run_id=run.run_id))
        assert not stopped.done
        with pytest.raises(RunError, match="refused: There is no run"):
            await asyncio.to_thread(ask, str(path), StartRun(run_id=NOBODY))
    assert bench.ran(run.run_id).status == "SUCCESS"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{}", "do"),
        (b"hello", "Invalid JSON"),
        (b'{"do": "start", "run_id": "x"}', "run_id"),
        (b'{"do": "start", "run_id": "%s", "more": 1}' % NOBODY.encode(), "more"),
        (b'{"do": "eat"}', "do"),
    ],
)
async def test_what_it_does_not_understand(
    bench: Bench, tmp_path: Path, line: bytes, said: str
) -> None:
    path = tmp_path / "engine"
    async with lane.engine(bench) as engine, listening(engine, path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(line + b"\n")
        answer = Answer.model_validate_json(await reader.readline())
        assert said in answer.refused
        writer.close()


async def test_one_who_says_too_much_is_left(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "engine"
    async with lane.engine(bench) as engine, listening(engine, path):
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(b"x" * (4 * LONGEST))
        with pytest.raises(ConnectionError):
            await writer.drain()
        writer.close()


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(NobodyListensError):
        ask(str(tmp_path / "engine"), StartRun(run_id=NOBODY))


async def test_a_connection_that_stays_open_holds_up_no_end(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "engine"
    lines = EngineLines(str(path))
    async with lane.engine(bench) as engine, listening(engine, path):
        assert (await lines.ask(Answering())).done
        with pytest.raises(RunError, match="refused: There is no run"):
            await lines.ask(StartRun(run_id=NOBODY))
    with pytest.raises(NobodyListensError):
        await lines.ask(Answering())
