"""A borrowed kernel as nbclient and papermill know kernels: a kernel manager and its client."""

from __future__ import annotations

import asyncio
from queue import Empty
from typing import TYPE_CHECKING, Any, cast

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager

from agentflow_dagster.notebook.kernels.order import POOLED

if TYPE_CHECKING:
    from agentflow_dagster.notebook.kernels.lease import Lease

_WELCOME_SECONDS = 5.0


class BorrowedClient(AsyncKernelClient):
    """Speaks to a kernel that is known to be ready."""

    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Waits until the kernel says that it hears who subscribes to its outputs.

        jupyter_client's own way asks the kernel what it is, and then waits 0.2 s for what may come.
        """
        if cast("Any", self.parent).kernel_name != POOLED:
            await super()._async_wait_for_ready(timeout)
            return
        try:
            await self.get_iopub_msg(timeout=_WELCOME_SECONDS)
        except Empty:
            raise RuntimeError("The kernel does not answer.") from None

    wait_for_ready = _async_wait_for_ready


class BorrowedKernel(AsyncKernelManager):
    """The kernel of a lease; it is neither started nor restarted here."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(client_factory=BorrowedClient)
        self._lease = lease
        told = dict(lease.connection)
        self.kernel_name = str(told["kernel_name"])
        self.load_connection_info(cast("Any", told))

    @property
    def has_kernel(self) -> bool:
        """It has one from the beginning."""
        return True

    async def _async_is_alive(self) -> bool:
        return self._lease.ended() is None

    is_alive = _async_is_alive

    async def interrupt_kernel(self) -> None:
        """Interrupts the cell at work."""
        self._lease.interrupt()

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:  # noqa: FBT001, FBT002
        """Ends it."""
        self._lease.end()

    async def until_ended(self) -> None:
        """Returns once it has ended by itself."""
        loop = asyncio.get_running_loop()
        seen = asyncio.Event()
        loop.add_reader(self._lease.fileno(), seen.set)
        try:
            await seen.wait()
        finally:
            loop.remove_reader(self._lease.fileno())
