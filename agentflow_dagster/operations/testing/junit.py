"""Reports as JUnit XML, which build servers read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.testing.telling import told_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agentflow_dagster.ports.document_tests import TestReport


def write_junit(reports: Sequence[tuple[str, TestReport]], path: Path) -> None:
    """Writes a suite per agent and a case per test.

    Args:
        reports: Each with the name of its file.
        path: Where to.

    Raises:
        UsageError: it cannot be written.
    """
    from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

    suites: dict[str, TestSuite] = {}
    for file, report in reports:
        suite = suites.setdefault(report.agent, TestSuite(report.agent))
        case = TestCase(report.test, file, round(report.seconds, 3))
        if not report.passed:
            text = _clean("\n".join(told_lines(report)))
            kind = Error if report.problem else Failure
            result = kind(_clean(next(told_lines(report), "failed")))
            result.text = text
            case.result = [result]
        suite.add_testcase(case)
    whole = JUnitXml("agentflow")
    for suite in suites.values():
        whole.add_testsuite(suite)
    whole.update_statistics()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole.write(str(path))  # pyright: ignore[reportUnknownMemberType] - IO of no type
    except OSError as problem:
        raise UsageError(f"{str(path)!r} cannot be written: {problem.strerror}.") from None


def _clean(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return "".join(c if c >= " " or c in "\t\n" else "\ufffd" for c in text)
