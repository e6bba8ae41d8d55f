"""What can be asked of the warm parent, and how: a line of JSON over a Unix socket, one answered.

Whoever may open the socket may run code as its owner, who alone may.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration.asked_lines import ask_line, first_problem

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
        of_agent: Whether it is an agent's: where the project stops, it goes on in the next one.
    """

    do: Literal["run"] = "run"
    run_id: _RunId
    job: _Name
    location: _Name
    of_agent: bool = False


class Resume(_Asked):
    """To go on with a run whose process is gone, or that was put away; answered without a pid where
    it has one, or is to have one.

    Args:
        run_id: Dagster's.
        of_agent: As `CarryOut` has it.
    """

    do: Literal["resume"] = "resume"
    run_id: _RunId
    of_agent: bool = False


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


Request: TypeAlias = CarryOut | Resume | Interrupt | Serve
_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="do")])


class Answer(BaseModel):
    """What came of it: the process, or why there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pid: int | None = None
    refused: str = ""


def read_request(line: bytes) -> Request | str:
    """The request that a line holds, or what is wrong with it."""
    if not line.endswith(b"\n"):
        return f"A request is a line of JSON of at most {LONGEST} bytes."
    try:
        return _REQUEST.validate_json(line)
    except ValidationError as problem:
        return first_problem(problem)


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
        NobodyListensError: nobody listens there.
        RunError: it refused, or went away before it answered.
    """
    told = ask_line(
        path,
        request.model_dump_json().encode(),
        whom="warm parent",
        longest=LONGEST,
        patience_seconds=_PATIENCE_SECONDS,
        descriptors=descriptors,
    )
    answer = Answer.model_validate_json(told)
    if answer.refused:
        raise RunError(f"The warm parent refused: {answer.refused}")
    return answer
