"""A run's process, and the next one that a run is owed whose process is gone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from agentflow_dagster.orchestration.warm.going_on import Ending

if TYPE_CHECKING:
    from agentflow_dagster.orchestration.warm.asking import CarryOut
    from agentflow_dagster.orchestration.warm.under_way import Left

_LONG_SECONDS = 60.0
"""What a process has to live for the next one not to be put off."""
_LONGEST_WAIT = 30.0
_MOST = 100
"""Processes in a row that did not live for long: about 50 minutes of a database that is away."""
_ENDED = "ended with the process that had started it."
_LEFT: dict[Left, str] = {
    "": _ENDED,
    "agent": _ENDED,
    "stopped": "ended when AgentFlow was stopped.",
}


@dataclass(slots=True)
class RunProcess:
    """A child that carries out a run.

    Args:
        run_id: The run.
        left: What is noted of it.
        number: Among those in a row that did not live for long.
        began: When it was forked (monotonic seconds).
        kill_at: When it is to be killed (monotonic seconds), once it was interrupted.
        killed: Whether it was, for not ending.
        asked: What is carried out, where nothing of it was before.
    """

    run_id: str
    left: Left
    number: int = 0
    began: float = field(default_factory=time.monotonic)
    kill_at: float | None = None
    killed: bool = False
    asked: CarryOut | None = None


@dataclass(frozen=True, slots=True)
class Owed:
    """What becomes of a run whose process is gone.

    Args:
        due: When it has another (monotonic seconds).
        gone: The process that is gone.
        number: Of the next, as `RunProcess` has it.
        ending: How that ended.
    """

    due: float
    gone: RunProcess
    number: int
    ending: Ending

    @classmethod
    def after(cls, gone: RunProcess, ending: Ending) -> Self | None:
        """At once, or later where the last processes did not live for long; None where too many
        did not."""
        now = time.monotonic()
        number = gone.number + 1 if now - gone.began < _LONG_SECONDS else 1
        if number > _MOST:
            return None
        wait = min(2.0 ** (number - 2), _LONGEST_WAIT) if number > 1 else 0.0
        return cls(now + wait, gone, number, ending)

    def process(self) -> RunProcess:
        """The next, which is forked now."""
        return RunProcess(self.gone.run_id, self.gone.left, self.number)


def asked_process(asked: CarryOut) -> RunProcess:
    """The first process of a run, which is forked now or stands by."""
    return RunProcess(asked.run_id, "agent" if asked.of_agent else "", asked=asked)


def process_left(run_id: str, left: Left) -> tuple[RunProcess, Ending]:
    """The process of a run that another warm parent left, and how it ended."""
    stopped = left == "stopped"
    return RunProcess(run_id, "agent" if stopped else left), Ending(_LEFT[left], stopped=stopped)
