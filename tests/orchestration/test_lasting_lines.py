"""Questions on connections that stay open."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration.asked_lines import NobodyListensError
from agentflow_dagster.orchestration.lasting_lines import LastingLines

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


@dataclass
class Echo:
    """Answers with what it is asked; "wait" once it is let go, and "die" by going away."""

    connections: list[asyncio.StreamWriter] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def at(self, path: Path) -> AsyncGenerator[None]:
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - nothing waits yet
        async with await asyncio.start_unix_server(self._heard, path):
            yield
            for writer in self.connections:
                writer.close()

    async def _heard(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        while line := await reader.readline():
            if line == b"wait\n":
                await self.go.wait()
            if line == b"die\n":
                break
            writer.write(line)
        writer.close()


def lines(path: Path, *, patience_seconds: float = 30, longest: int = 1000) -> LastingLines:
    return LastingLines(str(path), whom="echo", longest=longest, patience_seconds=patience_seconds)


async def test_one_connection_for_one_question_at_a_time(tmp_path: Path) -> None:
    echo, asked = Echo(), lines(tmp_path / "echo")
    async with echo.at(tmp_path / "echo"):
        for number in range(3):
            assert await asked.ask(b"%d" % number) == b"%d\n" % number
        assert len(echo.connections) == 1
        many = [b"%d" % number for number in range(20)]
        told = await asyncio.gather(*(asked.ask(line) for line in many))
        assert told == [line + b"\n" for line in many]
        assert len(echo.connections) == 20
        asked.close()


async def test_the_next_who_listens_is_asked(tmp_path: Path) -> None:
    asked = lines(tmp_path / "echo")
    async with Echo().at(tmp_path / "echo"):
        await asked.ask(b"x")
    async with Echo().at(tmp_path / "echo"):
        other = lines(tmp_path / "echo")
        await other.ask(b"x")  # by now the first has heard that its connection was closed
        assert await asked.ask(b"y") == b"y\n"
        asked.close()
        other.close()


async def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(NobodyListensError):
        await lines(tmp_path / "echo").ask(b"x")


async def test_one_who_goes_away(tmp_path: Path) -> None:
    asked = lines(tmp_path / "echo")
    async with Echo().at(tmp_path / "echo"):
        with pytest.raises(RunError, match=r"The echo did not answer\.") as gone:
            await asked.ask(b"die")
        assert not isinstance(gone.value, NobodyListensError)
        assert await asked.ask(b"x") == b"x\n"
        asked.close()


async def test_an_answer_that_comes_too_late_answers_nothing_else(tmp_path: Path) -> None:
    echo, asked = Echo(), lines(tmp_path / "echo", patience_seconds=0.05)
    async with echo.at(tmp_path / "echo"):
        with pytest.raises(RunError, match="did not answer: TimeoutError"):
            await asked.ask(b"wait")
        echo.go.set()
        assert await asked.ask(b"x") == b"x\n"
        asked.close()


async def test_nor_does_one_that_is_not_waited_for(tmp_path: Path) -> None:
    echo, asked = Echo(), lines(tmp_path / "echo")
    async with echo.at(tmp_path / "echo"):
        await asked.ask(b"before")
        waiting = asyncio.create_task(asked.ask(b"wait"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        echo.go.set()
        assert await asked.ask(b"x") == b"x\n"
        asked.close()


async def test_an_answer_is_bounded(tmp_path: Path) -> None:
    asked = lines(tmp_path / "echo", longest=16)
    async with Echo().at(tmp_path / "echo"):
        with pytest.raises(RunError, match="did not answer"):
            await asked.ask(b"x" * 100)
