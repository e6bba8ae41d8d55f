"""Where the engine is asked: a Unix socket for the owner alone."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, assert_never

from agentflow_dagster.engine.owners_sockets import owner_alone
from agentflow_dagster.errors import AgentFlowError
from agentflow_dagster.orchestration.engine_lane.asking import (
    LONGEST,
    Answer,
    Answering,
    BeginRun,
    CancelRun,
    StartRun,
    read_request,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from agentflow_dagster.orchestration.engine_lane.asking import Request
    from agentflow_dagster.orchestration.engine_lane.engine import Engine

_log = logging.getLogger(__name__)


@asynccontextmanager
async def listening(engine: Engine, path: Path) -> AsyncGenerator[None]:
    """Answers at a socket for as long as the block lasts.

    Args:
        engine: Who is asked.
        path: The socket; what is there is replaced, as there is one engine at a time.
    """
    open_: set[asyncio.StreamWriter] = set()

    async def heard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_.add(writer)
        try:
            while line := await reader.readline():
                answer = await answered(engine, line)
                writer.write(answer.model_dump_json().encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # Who asked is gone, or said more than a request is long.
        finally:
            open_.discard(writer)
            writer.close()

    path.unlink(missing_ok=True)  # noqa: ASYNC240 - nothing waits yet
    with owner_alone():
        server = await asyncio.start_unix_server(heard, path, limit=LONGEST)
    async with server:
        try:
            yield
        finally:
            server.close()
            for writer in open_:  # who asks often leaves its connections open
                writer.close()


async def answered(engine: Engine, line: bytes) -> Answer:
    """Does what a line asks for."""
    request = read_request(line)
    if isinstance(request, str):
        return Answer(done=False, refused=request)
    try:
        return Answer(done=await _done(engine, request))
    except AgentFlowError as problem:
        return Answer(done=False, refused=str(problem))
    except Exception as problem:  # noqa: BLE001 - whoever asked is told, and the others go on
        _log.exception("%s", request)
        return Answer(done=False, refused=f"{type(problem).__name__}: {problem}")


async def _done(engine: Engine, request: Request) -> bool:
    match request:
        case StartRun():
            return await engine.start(request.run_id, if_room=request.if_room)
        case BeginRun():
            return await engine.begin(request)
        case CancelRun():
            return await engine.cancel(request.run_id)
        case Answering():
            return True
        case _:
            assert_never(request)
