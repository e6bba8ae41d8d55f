"""Each component's parent: starts it, and ends it with everything that it started.

Run as a script, apart from the process that supervises, so that nothing outlives that process: the
kernel closes its end of the line when it ends, by `kill -9` too. Standard library only: it stays in
memory for as long as the component does.

    python keeper.py LINE GRACE COMMAND …

LINE is an inherited socket that reads its end once everything is to end; GRACE is how many seconds
a component is given between SIGTERM and SIGKILL. Ends as the component did.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LINUX = sys.platform == "linux"
_TO_END = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(line: int, grace: float, command: list[str]) -> None:
    """Returns never: ends this process as the component ended."""
    if _LINUX:
        # Orphans of the component become children of this process, whatever session they are in.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    os.set_inheritable(line, False)
    woken = _wake_on((signal.SIGCHLD, *_TO_END))
    component = _start(command)
    status = _until_end(component, line, woken)
    if status is None:
        status = _told_to_end(component, woken, grace)
    _end_rest(component)
    _end_as(status)


def _wake_on(signals: tuple[signal.Signals, ...]) -> int:
    """A pipe from which each of these signals can be read."""
    read, write = os.pipe()
    for end in (read, write):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in signals:
        signal.signal(number, _go_on)
    return read


def _start(command: list[str]) -> int:
    keeper = os.getpid()
    component = os.fork()
    if component:
        return component
    try:
        os.setsid()
        if _LINUX:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == keeper:
            os.execvp(command[0], command)
    except OSError as problem:
        os.write(2, f"{command[0]}: {problem.strerror}\n".encode())
    finally:
        os._exit(127)


def _until_end(component: int, line: int, woken: int) -> int | None:
    """The component's wait status once it has ended, or None where it is to end now."""
    while True:
        ready, _, _ = select.select([line, woken], [], [])
        signals = _drained(woken) if woken in ready else b""
        status, _ = _reap(component)
        if status is not None:
            return status
        if line in ready or any(number in signals for number in _TO_END):
            return None


def _told_to_end(component: int, woken: int, grace: float) -> int:
    """Asks the component to end, and waits for what it started too; its wait status."""
    deadline = time.monotonic() + grace
    _signal_group(component, signal.SIGTERM)
    _signal_group(component, signal.SIGCONT)  # one that is stopped could not end
    found: int | None = None
    while (left := deadline - time.monotonic()) > 0:
        select.select([woken], [], [], left)
        _drained(woken)
        status, more = _reap(component)
        found = found if status is None else status
        if found is not None and not more:
            return found
    _signal_group(component, signal.SIGKILL)
    return os.waitpid(component, 0)[1] if found is None else found


def _reap(component: int) -> tuple[int | None, bool]:
    """The component's wait status if it ended since last asked, and whether any child is left."""
    found: int | None = None
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found, False
        if not ended:
            return found, True
        if ended == component:
            found = status


def _end_rest(component: int) -> None:
    """Kills what the component left; what they leave comes here in turn."""
    _signal_group(component, signal.SIGKILL)
    while children := _children():
        for child in children:
            os.kill(child, signal.SIGKILL)  # ours, so its number is nobody else's until we wait
        os.wait()


def _children() -> list[int]:
    if not _LINUX:
        return []
    me = str(os.getpid())
    found: list[int] = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                parent = file.read().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if parent == me:
            found.append(int(name))
    return found


def _go_on(number: int, frame: object) -> None:
    """Takes the place of the default; the pipe says which signal came."""


def _drained(woken: int) -> bytes:
    try:
        return os.read(woken, 4096)
    except BlockingIOError:
        return b""


def _signal_group(leader: int, how: signal.Signals) -> None:
    try:
        os.killpg(leader, how)
    except (ProcessLookupError, PermissionError):
        return


def _end_as(status: int) -> None:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
