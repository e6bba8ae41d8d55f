"""Runs an author's code in a fresh child process of this interpreter.

This holds against accidents: endless loops, exhausted memory, crashes, output without end,
left-over processes. It is no wall against code that means harm: the child may read what this user
may read and reach the network.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from agentflow_dagster.engine.apart import authors_environment
from agentflow_dagster.errors import CodeError
from agentflow_dagster.ports.code import CodeResult
from agentflow_dagster.sandbox import _child
from agentflow_dagster.sandbox._conversation import Conversation
from agentflow_dagster.sandbox._ending import ended_early, last_lines, past_timeout
from agentflow_dagster.spec.values import join, split

if TYPE_CHECKING:
    from agentflow_dagster.ports.code import CodeRequest
    from agentflow_dagster.spec.values import JsonValue, Part, Value

_GRACE = 1.0
"""Seconds for a process to write where it was, and for its streams to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildProcess:
    """A `CodeRunner` whose every run is a process of its own, with an empty folder to work in.

    The code sees none of this process's environment but PATH, HOME and the locale; `input()` finds
    nothing; two runs see the same order of sets. When it ends, by whatever way, every process of
    its group is killed and its folder removed: a node's work is done at its last statement. That
    holds too where this process is killed first.
    The memory limit holds for each of its processes, on Linux alone.

    Args:
        output_bytes: Most that all outputs may take, encoded.
        printed_bytes: How much of the end of its prints is kept.
        file_bytes: Largest file that it may write.
    """

    output_bytes: int = 64 * 1024**2
    printed_bytes: int = 64 * 1024
    file_bytes: int = 1024**3

    async def run(self, request: CodeRequest) -> CodeResult:
        """Runs it to the end; cancelling the awaiting task kills it at once.

        Raises:
            CodeError: see `CodeRunner.run`.
        """
        folder = Path(tempfile.mkdtemp(prefix="agentflow-node-"))
        try:
            return await self._run_in(folder, request)
        finally:
            # Shielded: a folder must go even where this task is cancelled a second time.
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    async def _run_in(self, folder: Path, request: CodeRequest) -> CodeResult:
        work, dump = folder / "work", folder / _child.LAST_LINES
        work.mkdir()
        transport, talk = await self._start(work)
        timed_out = False
        try:
            _tell(transport, self._message(request))
            async with asyncio.timeout(request.timeout):
                await talk.exited.wait()
        except TimeoutError:
            timed_out = True
            await _ask_to_end(transport, talk)
        finally:
            await _end(transport, talk)
        if (reply := talk.reply) is not None:
            return _result(*reply, talk.printed)
        raise CodeError(
            past_timeout(request)
            if timed_out
            else ended_early(request, transport.get_returncode() or 0),
            traceback=last_lines(dump.read_text() if dump.exists() else "", request),
            stdout=talk.printed,
        )

    async def _start(self, work: Path) -> tuple[asyncio.SubprocessTransport, Conversation]:
        return await asyncio.get_running_loop().subprocess_exec(
            lambda: Conversation(
                reply_bytes=self.output_bytes + 1024, printed_bytes=self.printed_bytes
            ),
            sys.executable,
            *("-s", "-P", "-X", "utf8"),
            _child.__file__,
            str(os.getpid()),
            str(work.parent),
            env=authors_environment(os.environ, work),
            cwd=work,
            start_new_session=True,
        )

    def _message(self, request: CodeRequest) -> bytes:
        inputs, parts = split(cast("Value", dict(request.inputs)))
        return _child.encode(
            {
                "source": request.source,
                "setup": request.setup,
                "filename": request.filename,
                "outputs": list(request.outputs),
                "memory_bytes": request.memory_bytes,
                "file_bytes": self.file_bytes,
                "output_bytes": self.output_bytes,
                "inputs": inputs,
            },
            parts,
        )


def _tell(transport: asyncio.SubprocessTransport, message: bytes) -> None:
    pipe = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
    pipe.write(message)  # and it stays open: its end tells the child that this process is gone


async def _ask_to_end(transport: asyncio.SubprocessTransport, talk: Conversation) -> None:
    """SIGTERM: the interpreter writes where it was, then ends; code may stand in the way."""
    with suppress(ProcessLookupError):
        transport.send_signal(signal.SIGTERM)
    await _within_grace(talk.exited)


async def _end(transport: asyncio.SubprocessTransport, talk: Conversation) -> None:
    """Kills every process of the group and waits until the child is gone.

    One that replied has done so itself. The group bears the child's process id, which stays taken
    while any member lives.
    """
    if talk.reply is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
    try:
        await talk.exited.wait()
        # One that left the group may hold the streams open: not waited for.
        await _within_grace(talk.closed)
    finally:
        transport.close()


async def _within_grace(event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), _GRACE)


def _result(body: JsonValue, parts: dict[str, Part], printed: str) -> CodeResult:
    reply = cast("_child.Reply", body)
    if failure := reply.get("failure"):
        raise CodeError(
            failure["message"],
            traceback=failure["traceback"],
            stdout=printed,
            retryable=failure["retryable"],
        )
    outputs = cast("dict[str, Value]", join(reply.get("outputs"), parts))
    return CodeResult(outputs, printed)
