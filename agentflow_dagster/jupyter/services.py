"""What widgets ask for. `project_services.py` does it with a project's operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from agentflow_dagster.ports.document_tests import TestReport
    from agentflow_dagster.ports.live_events import LiveEvent, ModelSaid, RunEnd
    from agentflow_dagster.spec.values import JsonObject


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that has begun.

    Args:
        run_id: Dagster's.
        url: Its page in Dagster's UI; "" where there is none.
    """

    run_id: str
    url: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run has ended; its outputs, and its error, "" where there is none."""

    end: RunEnd
    outputs: JsonObject
    error: str = ""


class Runs(Protocol):
    """Runs one agent."""

    def run(
        self,
        input_: JsonObject,
        *,
        begun: Callable[[Begun], None],
        progress: Callable[[str], None],
    ) -> Outcome:
        """Runs it to its end; blocks the thread.

        Args:
            input_: It meets the agent's schema.
            begun: Told as soon as there is a run.
            progress: Told what is being waited for.

        Raises:
            AgentFlowError: it could not be begun.
        """
        ...

    async def follow(self, run_id: str, tell: Callable[[LiveEvent | ModelSaid], None]) -> RunEnd:
        """Tells every change of a run from its beginning, what models say meanwhile, and how it
        has ended."""
        ...

    def cancel(self, run_id: str) -> None:
        """Stops a run.

        Raises:
            AgentFlowError: it cannot be.
        """
        ...


@dataclass(frozen=True, slots=True)
class PastRun:
    """A line of a list of runs.

    Args:
        run_id, agent, trigger: As Dagster's tags have them.
        status: As Dagster calls it: SUCCESS, FAILURE, STARTED …
        started_at: None where it has not.
        seconds: None while it goes on.
        cost: USD; None where a price is not known.
        url: Its page in Dagster's UI; "" where that is not up.
    """

    run_id: str
    agent: str
    trigger: str
    status: str
    started_at: datetime | None
    seconds: float | None
    cost: float | None
    url: str = ""


class ListRuns(Protocol):
    """The newest runs, newest first; blocks the thread."""

    def __call__(self) -> Sequence[PastRun]: ...


@dataclass(frozen=True, slots=True)
class NamedTest:
    """A test of a document: its name, what it holds, and the node that it tests alone, or ""."""

    name: str
    description: str
    node: str = ""


class RunTest(Protocol):
    """Runs one test, by its name."""

    async def __call__(self, name: str) -> TestReport: ...
