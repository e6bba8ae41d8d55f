"""Stopping a command: signals become one interrupt, and nobody interrupts what it sets going."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

_AGAIN_SECONDS = 0.5


@contextmanager
def stopped_cleanly() -> Generator[None]:
    """Turns SIGINT, SIGTERM and SIGHUP into a KeyboardInterrupt, so that what was started stops.

    Once that is under way, further signals do nothing: a terminal that closes sends several, and
    stopping takes seconds. An interrupt that a library swallowed (gRPC's does, in a callback) is
    raised again. A signal that was ignored (`nohup`) stays so.
    """

    def interrupt(number: int, frame: object) -> None:
        del number, frame
        if _under_way():
            signal.setitimer(signal.ITIMER_REAL, 0)
            return
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        raise KeyboardInterrupt

    numbers = [signal.SIGALRM] + [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _under_way() -> bool:
    """Whether the code that was at work is handling an interrupt."""
    problem = sys.exception()
    while problem is not None:
        if isinstance(problem, KeyboardInterrupt):
            return True
        problem = problem.__context__
    return False
