"""Runs that failed and are owed another, and the queue of those that only a person can take on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from agentflow_dagster.spec.values import JsonObject

Again: TypeAlias = Literal["rest", "whole"]
"""Whether a run is tried again from where it failed, or from its beginning."""

Sent: TypeAlias = Literal["asked", "asked before", "not there"]
"""What became of asking for a dead letter's run again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is owed for a failed run.

    Args:
        agent: Whose run it is.
        trigger: What started it; "" where that was nobody's trigger.
        attempts: How often it has been tried.
        error: Why it failed.
        input: Its input as JSON, shortened.
        wait_seconds: Until it is tried again; None where only a person may.
        again: How it is tried.
    """

    agent: str
    trigger: str
    attempts: int
    error: str
    input: str
    wait_seconds: float | None
    again: Again = "rest"


@dataclass(frozen=True, slots=True)
class Due:
    """A run whose time has come to be tried again.

    Args:
        id: Of what is owed.
        run_id: The run that failed.
        attempts: How often it has been tried.
        again: How it is to be.
        made: The run that was made for it, and perhaps not submitted.
    """

    id: int
    run_id: str
    attempts: int
    again: Again
    made: str | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What is owed a run and gets none by itself.

    Args:
        id: `run-7` for a run that failed, `call-7` for an event that never became one.
        agent: Whose.
        trigger: What started it.
        input: The run's input, or the event, as JSON, shortened.
        error: What went wrong.
        attempts: Runs that were tried.
        at: When it came here.
        run_id: The run that failed last.
    """

    id: str
    agent: str
    trigger: str
    input: str
    error: str
    attempts: int
    at: datetime
    run_id: str | None = None

    def to_json(self) -> JsonObject:
        """The fields that `--json` prints."""
        return {
            "id": self.id,
            "agent": self.agent,
            "trigger": self.trigger,
            "input": self.input,
            "error": self.error,
            "attempts": self.attempts,
            "at": self.at.isoformat(),
            "run_id": self.run_id,
        }


class Failures(Protocol):
    """What is owed for runs that failed; a failure is noted in the transaction that records it."""

    def unjudged(self, *, limit: int = 100) -> Sequence[tuple[int, str]]:
        """Failures of which nobody has said what is owed: their ids, and those of their runs."""
        ...

    def judge(self, id_: int, verdict: Verdict | None) -> None:
        """Says what is owed for a failure; None is nothing."""
        ...

    def due(self, *, limit: int = 20) -> Sequence[Due]:
        """Those whose time has come, the first due first."""
        ...

    def started(self, id_: int) -> None:
        """The run that was made for it is under way."""
        ...

    def put_off(self, id_: int, seconds: float) -> None:
        """Has it tried again that much later."""
        ...

    def give_up(self, id_: int, error: str) -> None:
        """Leaves it to a person: it cannot be tried again."""
        ...

    def dead(self, agent: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        """What only a person can take on, the newest first."""
        ...

    def send(self, letter: str) -> Sent:
        """Asks for a dead letter's run again, from its input; once, however often it is said.

        Raises:
            UsageError: that is no dead letter's id.
        """
        ...

    def drop(self, letter: str) -> bool:
        """Owes nothing for a dead letter any more; False where there is none.

        Raises:
            UsageError: that is no dead letter's id.
        """
        ...
