"""What can be asked of the engine, and how: lines of JSON over a Unix socket, each answered by one.

Whoever may open the socket may start and stop runs, which its owner alone may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration.asked_lines import NobodyListensError, ask_line, first_problem
from agentflow_dagster.orchestration.lasting_lines import LastingLines

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_VARIABLE = "AGENTFLOW_ENGINE"
"""Where this project's engine listens; not set where there is none."""

LONGEST = 1_048_576
"""Bytes of a request."""
_PATIENCE_SECONDS = 30.0
_WHOM = "engine"

_RunId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StartRun(_Asked):
    """To begin a run that Dagster has created; answered once its start is committed.

    Args:
        run_id: Dagster's.
        if_room: Only where the agent has fewer runs under way than it may have.
    """

    do: Literal["start"] = "start"
    run_id: _RunId
    if_room: bool = False


class BeginRun(_Asked):
    """To make the run of an accepted event and begin it; answered once both are committed.

    Args:
        event_id: The event, in the inbox.
        version: The agent's version, by its hash.
        location: The code location that serves it, by name.
        input: The agent's input.
        tags: Beside those that every run of the agent has.
    """

    do: Literal["begin"] = "begin"
    event_id: int
    version: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    location: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    input: dict[str, JsonValue]
    tags: Annotated[dict[str, str], Field(max_length=32)]


class CancelRun(_Asked):
    """To stop a run; answered once that is recorded."""

    do: Literal["cancel"] = "cancel"
    run_id: _RunId


class Answering(_Asked):
    """To see whether the engine answers."""

    do: Literal["answer"] = "answer"


Request: TypeAlias = StartRun | BeginRun | CancelRun | Answering
_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="do")])


class Answer(BaseModel):
    """What came of it: `done` says whether there was room for a run, or it was here to stop."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    done: bool = True
    refused: str = ""


def read_request(line: bytes) -> Request | str:
    """The request that a line holds, or what is wrong with it."""
    try:
        return _REQUEST.validate_json(line)
    except ValidationError as problem:
        return first_problem(problem)


def engine_socket(variables: Mapping[str, str]) -> str | None:
    """Where this project's engine listens; None where there is none."""
    return variables.get(SOCKET_VARIABLE) or None


def answers(path: str, *, patience_seconds: float) -> bool:
    """Whether the engine that listens answers in time; one that does not listen (yet) is not to
    blame."""
    try:
        return ask(path, Answering(), patience_seconds=patience_seconds).done
    except NobodyListensError:
        return True
    except RunError:
        return False


def ask(path: str, request: Request, *, patience_seconds: float = _PATIENCE_SECONDS) -> Answer:
    """Asks, and waits for the answer.

    Args:
        path: The socket.
        request: What is wanted.
        patience_seconds: How long.

    Raises:
        NobodyListensError: nobody listens there.
        RunError: it refused, or went away before it answered.
    """
    line = request.model_dump_json().encode()
    told = ask_line(path, line, whom=_WHOM, longest=LONGEST, patience_seconds=patience_seconds)
    return _read_answer(told)


class EngineLines:
    """Asks the engine, often.

    Args:
        path: The socket.
    """

    def __init__(self, path: str) -> None:
        self._lines = LastingLines(
            path, whom=_WHOM, longest=LONGEST, patience_seconds=_PATIENCE_SECONDS
        )

    async def ask(self, request: Request) -> Answer:
        """Asks, and waits for the answer.

        Raises:
            NobodyListensError: nobody listens there.
            RunError: it refused, or went away before it answered.
        """
        return _read_answer(await self._lines.ask(request.model_dump_json().encode()))

    def close(self) -> None:
        """Gives the connections back."""
        self._lines.close()


def _read_answer(told: bytes) -> Answer:
    answer = Answer.model_validate_json(told)
    if answer.refused:
        raise RunError(f"The engine refused: {answer.refused}")
    return answer
