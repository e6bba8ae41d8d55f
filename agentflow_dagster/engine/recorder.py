"""Who is told what becomes of each step of a run, as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agentflow_dagster.engine.step import StepResult
    from agentflow_dagster.errors import RunError
    from agentflow_dagster.graph.plan import PlanStep


class Recorder(Protocol):
    """Told of the steps of one graph. What it is told of an end goes before what depends on it:
    the output is put into the journal next, which waits until both are kept.
    """

    def had_failed(self, step: PlanStep) -> bool:
        """Whether it failed for good before the run went on; it is not attempted again."""
        ...

    def passed_over(self, step: PlanStep) -> None:
        """The way to it was not taken, or what it waits for has failed: it does not run."""
        ...

    def began(self, step: PlanStep, attempt: int) -> None:
        """An attempt begins (1 for the first)."""
        ...

    def told(self, step: PlanStep, line: str) -> None:
        """How far it is, a line at a time; no secret is in it."""
        ...

    def again(self, step: PlanStep, attempt: int, failure: RunError, delay: float) -> None:
        """An attempt failed, and there is another in `delay` seconds."""
        ...

    def finished(self, step: PlanStep, attempt: int, done: StepResult) -> None:
        """It has an output, or its `when` skipped it."""
        ...

    def handled(self, step: PlanStep, attempt: int, failure: RunError) -> None:
        """Its last attempt failed, and it leaves by `error`."""
        ...

    def failed(self, step: PlanStep, attempt: int, failure: RunError) -> None:
        """It failed for good."""
        ...


class NoRecorder:
    """Nobody is told: the steps of bodies are sub-steps of a step, and tests look at the end."""

    def had_failed(self, step: PlanStep) -> bool:
        del step
        return False

    def passed_over(self, step: PlanStep) -> None: ...

    def began(self, step: PlanStep, attempt: int) -> None: ...

    def told(self, step: PlanStep, line: str) -> None: ...

    def again(self, step: PlanStep, attempt: int, failure: RunError, delay: float) -> None: ...

    def finished(self, step: PlanStep, attempt: int, done: StepResult) -> None: ...

    def handled(self, step: PlanStep, attempt: int, failure: RunError) -> None: ...

    def failed(self, step: PlanStep, attempt: int, failure: RunError) -> None: ...
