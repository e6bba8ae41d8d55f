"""Runs a notebook's cells in a borrowed kernel, as papermill's own client does.

It sees at once that the kernel is gone, takes what is glued, and at the end what is asked for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import nbformat
from jupyter_core.utils import ensure_event_loop, run_sync
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient

from agentflow_dagster.spec.glued import GLUE

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from agentflow_dagster.notebook.kernels.manager import BorrowedKernel
    from agentflow_dagster.notebook.sitting import Sitting

_LEAVE = """\
from agentflow_dagster.jupyter.gluing import leave as __agentflow_leave
__agentflow_leave({names!r}, globals())
"""


class LeavingFailed(Exception):
    """A variable cannot be taken: what the kernel said."""


class CellRunner(PapermillNotebookClient):
    """Runs the cells of one notebook.

    Args:
        keeper: Keeps the notebook; its `sitting` is None where a person runs papermill.
        km: The kernel.
        chosen: As papermill's client has them.
    """

    def __init__(self, keeper: object, *, km: BorrowedKernel, **chosen: object) -> None:
        cast("Any", super()).__init__(keeper, km=km, **chosen)
        self._kernel = km
        self._sitting: Sitting | None = cast("Any", keeper).sitting

    def run(self) -> None:
        """Runs all cells, the first that fails being the last.

        Raises:
            DeadKernelError: the kernel has ended.
            LeavingFailed: what is asked for cannot be taken.
        """
        cast("Any", self).execute()

    def close(self) -> None:
        """Gives back what is needed to speak to the kernel."""
        if self.kc is not None:
            cast("Any", self.kc).stop_channels()
        cast("Any", self._kernel).context.destroy(linger=0)

    def papermill_execute_cells(self) -> None:
        """Runs all cells, and takes what they leave."""
        super().papermill_execute_cells()
        if (sitting := self._sitting) is None:
            return
        missing = tuple(name for name in sitting.wanted if name not in sitting.left)
        if missing and not self.nb.metadata.papermill.exception:
            self._take(missing, sitting)

    def execute_cell(
        self, cell: NotebookNode, cell_index: int, **options: object
    ) -> NotebookNode | None:
        """Runs one cell."""
        if (sitting := self._sitting) is not None:
            sitting.cell = cell_index
            sitting.began(cell_index, len(self.nb.cells))
        try:
            return cast("Any", super()).execute_cell(cell, cell_index, **options)
        except DeadKernelError:
            told: dict[str, Any] = {"ename": "DeadKernelError", "evalue": "", "traceback": []}
            told["evalue"] = "The kernel has ended."
            cell.outputs.append(cast("Any", nbformat).v4.new_output("error", **told))
            cast("Any", self).nb_man.cell_exception(cell, cell_index=cell_index)
            raise

    def output(
        self,
        outs: list[NotebookNode],
        msg: dict[str, object],
        display_id: str | None,
        cell_index: int,
    ) -> NotebookNode | None:
        """Takes an output into the notebook, and what is glued out of it."""
        out = cast("Any", super()).output(outs, msg, display_id, cell_index)
        if self._sitting is not None and out is not None and GLUE in out.get("data", ()):
            out.data[GLUE] = cast("Any", nbformat).from_dict(self._sitting.take(out.data[GLUE]))
        return out

    async def _async_poll_kernel_alive(self) -> None:
        await self._kernel.until_ended()
        assert self.task_poll_for_reply is not None
        self.task_poll_for_reply.cancel()

    def _take(self, names: tuple[str, ...], sitting: Sitting) -> None:
        """Takes variables by a cell that is no part of the notebook."""
        failures: list[dict[str, Any]] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "error":
                failures.append(content)
            elif GLUE in content.get("data", ()):
                sitting.take(content["data"][GLUE])

        asked = run_sync(cast("Any", self.kc).execute_interactive)
        asked(_LEAVE.format(names=names), store_history=False, output_hook=hear)
        if failures:
            raise LeavingFailed(failures[0]["evalue"])


def close_loop() -> None:
    """Closes the event loop that this thread's papermill has made, which nobody else would."""
    ensure_event_loop().close()
    asyncio.set_event_loop(None)
