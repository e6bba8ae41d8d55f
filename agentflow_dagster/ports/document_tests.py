"""A document's tests, as whoever runs them is told of: what came out, and what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonValue


@dataclass(frozen=True, slots=True)
class Broken:
    """An expectation that does not hold.

    Args:
        place: Where it stands in the test: `expect/0/equals`.
        message: What does not hold, on one line.
        expected, got: The two that differ; None where the message says it all.
    """

    place: str
    message: str
    expected: JsonValue = None
    got: JsonValue = None
    differ: bool = False


@dataclass(frozen=True, slots=True)
class CaseReport:
    """How one case of a test came out.

    Args:
        number: The row of the data set, 1 for the first that was picked; None where there is none.
        broken: What does not hold; empty where it passed.
        seconds: How long it took.
        cost_usd: What its model calls cost; None where a price is not known.
        tokens: Tokens in and out, of all its calls.
    """

    number: int | None
    broken: tuple[Broken, ...]
    seconds: float
    cost_usd: float | None
    tokens: int

    @property
    def passed(self) -> bool:
        """Whether everything holds."""
        return not self.broken


@dataclass(frozen=True, slots=True)
class TestReport:
    """How a test came out.

    Args:
        agent, test: Which test.
        node: The node that is tested alone; None where it is the whole agent.
        cases: At least one, but where there is a problem.
        pass_rate: The share of cases that has to pass.
        problem: Why it could not be run; "" where it was.
    """

    __test__ = False  # Not one of pytest's.

    agent: str
    test: str
    node: str | None
    cases: tuple[CaseReport, ...]
    pass_rate: float = 1.0
    problem: str = ""

    @property
    def rate(self) -> float:
        """The share of cases that passed."""
        return sum(c.passed for c in self.cases) / len(self.cases) if self.cases else 0.0

    @property
    def passed(self) -> bool:
        """Whether enough cases passed."""
        return not self.problem and self.rate >= self.pass_rate

    @property
    def seconds(self) -> float:
        """Seconds of all cases, one after another."""
        return sum(case.seconds for case in self.cases)
