"""Runs notebooks by papermill, each in a kernel of the pool."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from agentflow_dagster.errors import NotebookFailed, RunError
from agentflow_dagster.notebook.given_parameters import given_parameters
from agentflow_dagster.notebook.kernels import Order, borrow
from agentflow_dagster.spec.json_schema import load_jsonschema

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.notebook.kernels import Lease
    from agentflow_dagster.ports.notebooks import NotebookRequest, NotebookResult

MAX_BYTES = 50 * 1024**2
"""Largest notebook that is run."""
_LATE_SECONDS = 0.4
"""How long a cell that is past its time may take to say where it is; the engine waits 0.5 s."""
_CANCEL_SECONDS = 2.0
"""How long a cell may take to end that is interrupted because the run is canceled."""


@dataclass(frozen=True, slots=True)
class PapermillNotebooks:
    """Runs the notebooks of a folder.

    Args:
        folder: No notebook outside it is run.
        executed: Where they are kept as they fill, under the name that the request says; None
            keeps none.
        pool: Where kernels are to be had; None is what `AGENTFLOW_KERNELS` says.
    """

    folder: Path
    executed: Path | None = None
    pool: str | None = None

    async def run(self, request: NotebookRequest) -> NotebookResult:
        """Runs a notebook from its first cell to its last."""
        source = self._source(request.notebook)
        text = source.read_text(encoding="utf-8")
        parameters = given_parameters(request.notebook, text, request.parameters, request.offered)
        place = self._place(request.name)
        order = Order(request.kernel, beside=str(source.parent), memory_bytes=request.memory_bytes)
        late = asyncio.get_running_loop().time() + request.timeout
        lease = await _borrowed(order, self.pool)
        load_jsonschema()  # Before nbformat does.
        from agentflow_dagster.notebook.carrying_out import Work, carry_out

        work = Work(request, text, parameters, place)
        loop = asyncio.get_running_loop()
        tell = partial(loop.call_soon_threadsafe, request.tell)
        sitting = work.sitting(lease, tell=tell)
        with ThreadPoolExecutor(1, thread_name_prefix="notebook") as threads:
            done = loop.run_in_executor(threads, carry_out, work, sitting)
            try:
                async with asyncio.timeout_at(late):
                    return await asyncio.shield(done)
            except TimeoutError:
                where = await _stopped(done, lease, _LATE_SECONDS)
                raise work.late(sitting, where) from None
            except asyncio.CancelledError:
                await _stopped(done, lease, _CANCEL_SECONDS)
                raise
            finally:
                lease.end()

    def _source(self, notebook: str) -> Path:
        root = self.folder.resolve()
        path = (root / notebook).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            raise RunError(
                f"There is no notebook {notebook!r} in the folder of notebooks.", retryable=False
            )
        if path.stat().st_size > MAX_BYTES:
            raise RunError(
                f"{notebook} has more than {MAX_BYTES // 1024**2} MiB.",
                hint="Clear its outputs.",
                retryable=False,
            )
        return path

    def _place(self, name: str) -> Path | None:
        if self.executed is None:
            return None
        root = self.executed.resolve()
        path = (root / f"{name}.ipynb").resolve()
        if not path.is_relative_to(root):
            raise RunError(f"{name!r} leaves the folder of executed notebooks.", retryable=False)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path


async def _borrowed(order: Order, pool: str | None) -> Lease:
    """A kernel; one that comes after nobody waits for it any more is given back."""
    asked = asyncio.ensure_future(asyncio.to_thread(borrow, order, pool=pool))
    try:
        return await asyncio.shield(asked)
    except asyncio.CancelledError:
        asked.add_done_callback(_give_back)
        raise


def _give_back(asked: asyncio.Future[Lease]) -> None:
    if not asked.cancelled() and asked.exception() is None:
        asked.result().close()


async def _stopped(
    done: asyncio.Future[NotebookResult], lease: Lease, seconds: float
) -> NotebookFailed | None:
    """Interrupts what the kernel does, and ends it where that does not help; where it was.

    One interrupt alone may fall between two cells, where nothing hears it.
    """
    try:
        for _ in range(2):
            lease.interrupt()
            await asyncio.wait([done], timeout=seconds / 2)
            if done.done():
                break
    finally:
        lease.end()
    await asyncio.wait([done])
    problem = done.exception()
    return problem if isinstance(problem, NotebookFailed) else None
