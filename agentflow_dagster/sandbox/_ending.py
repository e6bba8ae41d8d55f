"""Says how a child process ended that gave no reply, with the lines of the author's it was at."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from agentflow_dagster.sandbox._child import SETUP

if TYPE_CHECKING:
    from agentflow_dagster.ports.code import CodeRequest

_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+) in (?P<name>.+)$', re.MULTILINE)


def past_timeout(request: CodeRequest) -> str:
    """The message for code that was still at work at its limit."""
    return f"{request.filename} was still running after its limit of {request.timeout:g} s."


def ended_early(request: CodeRequest, returncode: int) -> str:
    """The message for a process that ended by itself, by its return code (`subprocess`'s)."""
    if returncode >= 0:
        return (
            f"{request.filename} ended its process with exit code {returncode} before its last "
            "statement (os._exit, or a library that gave up)."
        )
    if returncode == -signal.SIGKILL:
        return (
            f"{request.filename} was killed from outside (SIGKILL): the machine may have run out "
            "of memory."
        )
    return f"{request.filename} crashed the interpreter ({_signal_name(-returncode)})."


def last_lines(dump: str, request: CodeRequest) -> str:
    """A traceback of the author's frames from what `faulthandler` wrote, which is newest first."""
    sources = {request.filename: request.source, SETUP: request.setup}
    frames = [m for m in _FRAME.finditer(dump) if m["file"] in sources]
    if not frames:
        return ""
    told = ["Traceback (most recent call last):"]
    for frame in reversed(frames):
        told.append(f'  File "{frame["file"]}", line {frame["line"]}, in {frame["name"]}')
        lines = sources[frame["file"]].splitlines()
        if (number := int(frame["line"])) <= len(lines):
            told.append(f"    {lines[number - 1].strip()}")
    return "\n".join(told) + "\n"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
