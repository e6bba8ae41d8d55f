"""What steps wait for without being at work: a time, a person's decision or answer, a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from agentflow_dagster.errors import RunError

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, Value

WaitKind: TypeAlias = Literal["timer", "approval", "input", "callback"]

Due: TypeAlias = datetime | float
"""When it ends by itself: at a time, or so many seconds after it was asked for."""


@dataclass(frozen=True, slots=True)
class Escalation:
    """More people who may answer once it has waited for some time.

    Args:
        after: Seconds.
        to: Their names.
    """

    after: float
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a step waits for.

    Args:
        kind: Who or what answers.
        subject: All that whoever answers is shown, JSON. An answer is to this and to nothing else:
            where a step that waits again asks for something else, an answer that came counts no
            more.
        due: When it ends by itself; None where it does not.
        people: Who may answer; empty where anyone may who can reach the project.
        escalations: Who may, too, after a time.
        token: Of a callback: what its caller shows. It is stored as its sha256
            beside what is asked, and in clear in the run's journal.
    """

    kind: WaitKind
    subject: JsonObject
    due: Due | None = None
    people: tuple[str, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came.

    Args:
        value: What was said; None where the time ran out.
        by: Who said it; None where the time ran out.
        note: What they wrote beside it.
        at: When.
    """

    at: datetime
    value: Value = None
    by: str | None = None
    note: str = ""

    @property
    def in_time(self) -> bool:
        """Whether somebody answered."""
        return self.by is not None


class Waits(Protocol):
    """Waits for one run's steps. While all that a run has left is to wait, it may be put away: then
    its steps are attempted again once there is an answer, and find it."""

    async def ask(self, path: str, asked: Asked) -> None:
        """Asks; once this returns an answer can come, which `answer` gives.

        Raises:
            RunError: nothing can be waited for here.
        """
        ...

    async def answer(self, path: str, asked: Asked) -> Answer:
        """The answer, once it is there; asks where that was not done.

        Args:
            path: The step, with the bodies that it stands in: `each[3].review`.
            asked: What for.

        Raises:
            RunError: nothing can be waited for here.
        """
        ...


class StepWaits(Protocol):
    """Waits for one attempt of a step."""

    async def ask(self, asked: Asked) -> None:
        """Asks; once this returns an answer can come, which `answer` gives.

        Raises:
            RunError: nothing can be waited for here.
        """
        ...

    async def answer(self, asked: Asked) -> Answer:
        """The answer, once it is there; no limit of time runs meanwhile.

        Raises:
            RunError: nothing can be waited for here.
        """
        ...


class NoWaits:
    """Where nobody can answer: tests of documents, which say what stands in for the node. Times
    pass at once there."""

    async def ask(self, path: str, asked: Asked) -> None:
        if asked.kind != "timer":
            raise RunError(
                f"{path!r} waits for somebody to answer, and nobody is asked here.",
                hint="Say under the test's `mocks` what it is answered.",
                retryable=False,
            )

    async def answer(self, path: str, asked: Asked) -> Answer:
        await self.ask(path, asked)
        return Answer(datetime.now().astimezone())


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that a step of a run waits for, or waited for.

    Args:
        id: Its number.
        run_id, agent, path: Whose step.
        kind: Who or what answers.
        subject: What whoever answers is shown.
        digest: sha256 (hex) over kind and subject: what exactly an answer is to.
        people: Who may answer by now, delegates and escalations included; empty: anyone.
        asked_at, due: Since when, and when it ends by itself.
        state: `open`; `answered`; `taken`, when the run has gone on with it; or `closed` without
            an answer, because the run has ended or asks for something else.
        answer: What came.
    """

    id: int
    run_id: str
    agent: str
    path: str
    kind: WaitKind
    subject: JsonObject
    digest: str
    asked_at: datetime
    due: datetime | None
    state: Literal["open", "answered", "taken", "closed"]
    people: tuple[str, ...] = ()
    answer: Answer | None = field(default=None)


class WaitStore(Protocol):
    """What all runs wait for."""

    def get(self, wait_id: int) -> Wait | None: ...

    def hand_over(self, run_id: str, *, held: bool) -> None:
        """Says who looks for the answers that a run waits for.

        Args:
            run_id: The run.
            held: Whether a process of its own does; else the engine.
        """
        ...

    def waits(
        self,
        *,
        agent: str | None = None,
        run_id: str | None = None,
        open_only: bool = True,
        people_only: bool = False,
        limit: int = 100,
    ) -> list[Wait]:
        """What is waited for, the oldest first.

        Args:
            agent: Of this agent alone.
            run_id: Of this run alone.
            open_only: Leaves out what is answered or closed.
            people_only: Leaves out times and calls.
            limit: Most of them.
        """
        ...

    def decide(self, wait_id: int, value: Value, *, by: str, note: str = "") -> Wait:
        """Answers; the same answer of the same person again changes nothing.

        Args:
            wait_id: To what.
            value: What is said.
            by: Who says it.
            note: What they write beside it.

        Raises:
            UsageError: there is no such wait, it is answered otherwise or over, or `by` may not.
        """
        ...

    def call_back(self, token: str, value: Value) -> Wait:
        """Answers a callback; the same answer again changes nothing.

        Args:
            token: What the caller shows.
            value: What is said.

        Raises:
            UsageError: there is none of that token, or it is answered otherwise or over.
        """
        ...

    def called(self, token: str) -> Wait | None:
        """The callback of a token."""
        ...

    def delegate(self, wait_id: int, *, by: str, to: str) -> Wait:
        """Lets somebody else answer, too.

        Raises:
            UsageError: there is no such open wait, or `by` may not answer it.
        """
        ...
