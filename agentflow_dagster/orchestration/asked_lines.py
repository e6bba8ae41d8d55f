"""How a process of the platform is asked: a line of JSON over a Unix socket, answered by one."""

from __future__ import annotations

import socket
import struct
from contextlib import closing
from typing import TYPE_CHECKING

from agentflow_dagster.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationError


class NobodyListensError(RunError):
    """Nobody listens there, so that nothing was done."""


class NotAnsweredError(RunError):
    """Whether anything was done is not known: who was asked is gone, or does not answer."""


def ask_line(
    path: str,
    line: bytes,
    *,
    whom: str,
    longest: int,
    patience_seconds: float,
    descriptors: Sequence[int] = (),
) -> bytes:
    """Sends a line and waits for the one that answers it.

    Args:
        path: The socket.
        line: The request, without the end of its line.
        whom: Who listens there, as errors and its log call it.
        longest: Most bytes of an answer.
        patience_seconds: How long each step may take.
        descriptors: Handed over with the line.

    Raises:
        NobodyListensError: nobody listens there.
        NotAnsweredError: who listens went away before it answered.
        RunError: it is too busy to be asked.
    """
    with closing(socket.socket(socket.AF_UNIX)) as line_to:
        # One that does not block would be sent away where a hundred others have just come.
        waiting = struct.pack("ll", int(patience_seconds), int(patience_seconds % 1 * 1_000_000))
        line_to.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, waiting)
        try:
            line_to.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            raise NobodyListensError(f"No {whom} listens at {path!r}.") from None
        except BlockingIOError:
            raise RunError(f"The {whom} has more to do than it can.") from None
        line_to.settimeout(patience_seconds)
        try:
            request = line + b"\n"
            sent = socket.send_fds(line_to, [request], list(descriptors))
            if sent < len(request):  # else who answers may be done already
                line_to.sendall(request[sent:])
            told, reason = line_to.makefile("rb").readline(longest), ""
        except OSError as problem:
            told, reason = b"", f": {problem}"
    if not told:
        raise not_answered(whom, reason)
    return told


def not_answered(whom: str, reason: str) -> NotAnsweredError:
    """That it is not known what came of a question."""
    log = f"{whom.replace(' ', '-')}.log"
    return NotAnsweredError(f"The {whom} did not answer{reason}.", hint=f"Its log is {log}.")


def first_problem(problem: ValidationError) -> str:
    """What is wrong with a request, by the place of the first mistake; no value is shown."""
    first = problem.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
