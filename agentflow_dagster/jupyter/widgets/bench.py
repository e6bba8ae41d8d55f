"""A document's tests, run from a notebook: all or one, with what does not hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import traitlets

from agentflow_dagster.jupyter.background import Background
from agentflow_dagster.jupyter.node_states import cost, duration
from agentflow_dagster.jupyter.tables import Table
from agentflow_dagster.jupyter.widgets.base import JsonList, NotebookWidget
from agentflow_dagster.operations.testing.telling import told_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.jupyter.services import NamedTest, RunTest
    from agentflow_dagster.ports.document_tests import TestReport
    from agentflow_dagster.spec.values import JsonObject

_COLUMNS = ("test", "result", ">cases", ">time", ">cost", "")


@dataclass(frozen=True, slots=True)
class _Result:
    state: Literal["not run", "waiting", "running", "passed", "failed"] = "not run"
    report: TestReport | None = None
    problem: str = ""

    @property
    def lines(self) -> list[str]:
        """What does not hold; "-" before what was expected, "+" before what came."""
        if self.problem:
            return [self.problem]
        return list(told_lines(self.report)) if self.report and not self.report.passed else []


class TestBench(NotebookWidget):
    """The tests of one document.

    Args:
        title: The agent's name.
        tests: Its tests, in the document's order.
        run_test: Runs one.
    """

    __test__ = False  # Not one of pytest's.
    part: ClassVar[str] = "bench"

    title = traitlets.Unicode().tag(sync=True)
    tests = JsonList().tag(sync=True)
    busy = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(self, title: str, tests: Sequence[NamedTest], run_test: RunTest) -> None:
        self._tests = tests
        self._run_test = run_test
        self._results = {test.name: _Result() for test in tests}
        self._background = Background("agentflow-tests", lambda _: None)
        super().__init__(title=title, tests=self._told())

    def run(self, *names: str) -> None:
        """Runs tests beside the kernel, one after another; all where none is named."""
        wanted = [test.name for test in self._tests if not names or test.name in names]
        self._background.begin(lambda: self._running(wanted))

    def cancel(self) -> None:
        """Stops what is under way; what has not ended counts as not run."""
        self._background.stop()

    def wait(self, seconds: float | None = None) -> None:
        """Waits until nothing runs, for so many seconds at most."""
        self._background.wait(seconds)

    def close(self) -> None:
        self.cancel()
        super().close()

    @property
    def passed(self) -> bool | None:
        """Whether all have passed; None where some have not been run."""
        states = {result.state for result in self._results.values()}
        return states <= {"passed"} if states <= {"passed", "failed"} else None

    async def _running(self, names: Sequence[str]) -> None:
        self.busy = True
        try:
            for name in names:
                self._set(name, _Result("waiting"))
            for name in names:
                self._set(name, _Result("running"))
                self._set(name, await self._result(name))
        finally:
            for name in names:
                if self._results[name].state in {"waiting", "running"}:
                    self._set(name, _Result())
            self.busy = False

    async def _result(self, name: str) -> _Result:
        try:
            report = await self._run_test(name)
        except Exception as problem:  # noqa: BLE001 - it stands at the test, and the others go on
            return _Result("failed", problem=str(problem) or repr(problem))
        return _Result("passed" if report.passed else "failed", report)

    def _set(self, name: str, result: _Result) -> None:
        self._results[name] = result
        self.tests = self._told()

    def asked(self, content: JsonObject) -> None:
        if content.get("do") == "run":
            self.run(*cast("list[str]", content.get("names") or []))
        elif content.get("do") == "cancel":
            self.cancel()

    def _told(self) -> list[JsonObject]:
        """`Test` in `extensions/graph/src/TestBench.tsx`."""
        told: list[JsonObject] = []
        for test in self._tests:
            result = self._results[test.name]
            report = result.report
            told.append(
                {
                    "name": test.name,
                    "description": test.description,
                    "node": test.node,
                    "state": result.state,
                    "cases": len(report.cases) if report else 0,
                    "passed": sum(case.passed for case in report.cases) if report else 0,
                    "seconds": report.seconds if report else None,
                    "cost": _cost(report),
                    "lines": [line for text in result.lines for line in text.splitlines()],
                }
            )
        return told

    def as_text(self) -> str:
        lines = [f"  {line}" for name in self._results for line in self._lines_of(name)]
        return "\n".join([self._table().as_text(), *lines])

    def as_picture(self) -> Mapping[str, str]:
        table = self._table()
        broken = "\n".join(line for name in self._results for line in self._lines_of(name))
        return {"text/html": replace(table, note=broken).as_html()}

    def _lines_of(self, name: str) -> list[str]:
        """What does not hold of a test, under its name."""
        lines = self._results[name].lines
        return [f"{name}:", *(f"  {line}" for line in lines)] if lines else []

    def _table(self) -> Table:
        return Table(f"Tests of {self.title}", _COLUMNS, self._rows(), empty="None yet.")

    def _rows(self) -> list[list[str]]:
        rows: list[list[str]] = []
        for test in self._tests:
            result = self._results[test.name]
            report = result.report
            passed = sum(case.passed for case in report.cases) if report else 0
            rows.append(
                [
                    test.name,
                    result.state,
                    f"{passed}/{len(report.cases)}" if report else "",
                    duration(report.seconds) if report else "",
                    cost(_cost(report)) if report else "",
                    test.description,
                ]
            )
        return rows


def _cost(report: TestReport | None) -> float | None:
    costs = [case.cost_usd for case in report.cases] if report else []
    known = [one for one in costs if one is not None]
    return sum(known) if len(known) == len(costs) else None
