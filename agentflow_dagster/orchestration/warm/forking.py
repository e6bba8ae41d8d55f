"""One fork: a child that begins as a process of its own, with none of what is the parent's."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PR_SET_PDEATHSIG = 1
_LINUX = sys.platform == "linux"
# Looked up before there is a child: after a fork little should be.
_prctl = ctypes.CDLL(None).prctl if _LINUX else None

HANDLED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that the parent handles in its own way."""


def fork(work: Callable[[], int], *, inherited: Sequence[int], output: Sequence[int] = ()) -> int:
    """Does work in a forked child, which ends with what it returns; the child's process id.

    The child heads a session of its own, and is killed where its parent ends without it (Linux).

    Args:
        work: Returns an exit status; 1 where it raises.
        inherited: The parent's descriptors, closed in the child.
        output: Where it prints and complains, in place of where the parent does.
    """
    parent = os.getpid()
    # A signal must not be taken for one to the parent while the child still has its handlers.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    child = os.fork()
    if child:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return child
    status = 1
    try:
        _become_own(parent, inherited, output)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        status = work()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - the last boundary of a process
        traceback.print_exc()
    finally:
        _flush()
        os._exit(status)


def _become_own(parent: int, inherited: Sequence[int], output: Sequence[int]) -> None:
    os.setsid()
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    signal.set_wakeup_fd(-1)
    for number in HANDLED:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for own, given in zip((1, 2), output, strict=False):
        os.dup2(given, own)
    for descriptor in (*inherited, *output):
        os.close(descriptor)
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
