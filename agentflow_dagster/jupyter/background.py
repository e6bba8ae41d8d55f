"""Work beside the kernel: a cell that shows a widget ends at once, and what it shows goes on."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Background:
    """One piece of work at a time, in a thread of its own with an event loop of its own.

    Args:
        name: What the thread is called.
        failed: Told of an error that the work ends with.
    """

    def __init__(self, name: str, failed: Callable[[Exception], None]) -> None:
        self._name = name
        self._failed = failed
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], None] | None = None

    @property
    def busy(self) -> bool:
        """Whether work is under way."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self, work: Callable[[], Coroutine[None, None, None]]) -> bool:
        """Begins some work; False where there is some under way already."""
        with self._lock:
            if self.busy:
                return False
            ready = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(work, ready), name=self._name, daemon=True
            )
            self._thread.start()
        ready.wait()
        return True

    def stop(self) -> None:
        """Cancels what is under way; it may end a little later."""
        stop = self._stop
        if stop is not None:
            stop()

    def wait(self, seconds: float | None = None) -> None:
        """Waits until nothing is under way, for so many seconds at most."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self, work: Callable[[], Coroutine[None, None, None]], ready: threading.Event) -> None:
        async def main() -> None:
            loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work())

            def stop() -> None:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(task.cancel)

            self._stop = stop
            ready.set()
            try:
                await task
            except asyncio.CancelledError:
                return
            finally:
                self._stop = None

        try:
            asyncio.run(main())
        except Exception as problem:  # noqa: BLE001 - whoever looks at the widget is told
            self._failed(problem)
        finally:
            ready.set()
