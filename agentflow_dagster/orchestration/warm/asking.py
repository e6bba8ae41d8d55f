"""What can be asked of the warm parent, and how: a line of JSON over a Unix socket, one answered.

Whoever may open the socket may run code as its owner, who alone may.
"""

from __future__ import annotations

import os
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from agentflow_dagster.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SOCKET_VARIABLE = "AGENTFLOW_WARM_PARENT"
"""Where the warm parent of this project listens; not set where there is none."""

LOGGER = "agentflow.warm"

LONGEST = 65_536
"""Bytes of a request."""
_PATIENCE_SECONDS = 60.0
"""It may be importing: that takes seconds, and more on a busy machine."""

_RunId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]
_Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CarryOut(_Asked):
    """To carry out a run, in a process of its own.

    Args:
        run_id: Dagster's.
        job: The job's name.
        location: The code location that the job is of, by name.
    """

    do: Literal["run"] = "run"
    run_id: _RunId
    job: _Name
    location: _Name


class Interrupt(_Asked):
    """To interrupt a run's process, and kill it where that does not end it; answered by its pid."""

    do: Literal["interrupt"] = "interrupt"
    run_id: _RunId


class Serve(_Asked):
    """To serve a code location: `dagster api grpc` with these arguments.

    Where two descriptors come along, it prints there.
    """

    do: Literal["serve"] = "serve"
    location: _Name
    arguments: Annotated[list[str], Field(max_length=64)]


Request: TypeAlias = CarryOut | Interrupt | Serve
_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="do")])


class Answer(BaseModel):
    """What came of it: the process, or why there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pid: int | None = None
    refused: str = ""


class NoWarmParentError(RunError):
    """Nobody listens, so that nothing was done."""


def read_request(line: bytes) -> Request | str:
    """The request that a line holds, or what is wrong with it."""
    if not line.endswith(b"\n"):
        return f"A request is a line of JSON of at most {LONGEST} bytes."
    try:
        return _REQUEST.validate_json(line)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def warm_parent(variables: Mapping[str, str] | None = None) -> str | None:
    """The socket of this project's warm parent; None where there is none."""
    return (os.environ if variables is None else variables).get(SOCKET_VARIABLE) or None


def ask(path: str, request: Request, *, descriptors: Sequence[int] = ()) -> Answer:
    """Asks, and waits for the answer, which comes once the process is there.

    Args:
        path: The socket.
        request: What is wanted.
        descriptors: Handed over with it.

    Raises:
        NoWarmParentError: nobody listens there.
        RunError: it refused, or went away before it answered.
    """
    line = request.model_dump_json().encode() + b"\n"
    with closing(socket.socket(socket.AF_UNIX)) as line_to:
        line_to.settimeout(_PATIENCE_SECONDS)
        try:
            line_to.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            raise NoWarmParentError(f"No warm parent listens at {path!r}.") from None
        try:
            socket.send_fds(line_to, [line], list(descriptors))
            told = line_to.makefile("rb").readline(LONGEST)
        except OSError as problem:
            told, reason = b"", f": {problem}"
        else:
            reason = ""
    if not told:
        raise RunError(
            f"The warm parent did not answer{reason}.", hint="Its log is warm-parent.log."
        )
    answer = Answer.model_validate_json(told)
    if answer.refused:
        raise RunError(f"The warm parent refused: {answer.refused}")
    return answer
