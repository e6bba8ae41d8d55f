"""How a test's result is told: what does not hold, each with a diff of expected and got."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.ports.document_tests import Broken, CaseReport, TestReport
    from agentflow_dagster.spec.values import JsonObject, JsonValue

MOST_CASES = 20
"""Failed cases that are told one by one."""
_LONGEST = 4000


def told_lines(report: TestReport) -> Iterator[str]:
    """What a person has to know of a test that failed: lines as pytest would write them, `-` before
    what was expected and `+` before what came."""
    if report.problem:
        yield report.problem
        return
    failed = [case for case in report.cases if not case.passed]
    if len(report.cases) > 1 or report.pass_rate < 1:
        yield (
            f"{report.rate:.1%} of {len(report.cases):,} cases passed;"
            f" {report.pass_rate:.1%} are wanted."
        )
    for case in failed[:MOST_CASES]:
        yield from _case_lines(case)
    if failed[MOST_CASES:]:
        yield f"… and {len(failed) - MOST_CASES:,} more cases."


def report_json(report: TestReport) -> JsonObject:
    """The report as `agentflow test --json` prints it."""
    return {
        "agent": report.agent,
        "test": report.test,
        "node": report.node,
        "passed": report.passed,
        "problem": report.problem,
        "pass_rate": report.rate,
        "wanted_pass_rate": report.pass_rate,
        "seconds": round(report.seconds, 3),
        "cases": [
            {
                "case": case.number,
                "passed": case.passed,
                "seconds": round(case.seconds, 3),
                "cost_usd": case.cost_usd,
                "tokens": case.tokens,
                "broken": [
                    {
                        "place": one.place,
                        "message": one.message,
                        "expected": one.expected,
                        "got": one.got,
                    }
                    for one in case.broken
                ],
            }
            for case in report.cases
        ],
    }


def _case_lines(case: CaseReport) -> Iterator[str]:
    of = f"case {case.number}: " if case.number is not None else ""
    for broken in case.broken:
        at = f" ({broken.place})" if broken.place else ""
        yield f"{of}{broken.message}{at}"
        yield from (f"  {line}" for line in _difference(broken))


def _difference(broken: Broken) -> Iterator[str]:
    if broken.expected is None and broken.got is None:
        return
    expected, got = _lines(broken.expected), _lines(broken.got)
    if not broken.differ:
        if broken.expected is not None:
            yield from (f"expected: {line}" for line in expected)
        yield from (f"got: {line}" for line in got)
        return
    for line in difflib.ndiff(expected, got):
        yield line.rstrip("\n")


def _lines(value: JsonValue) -> list[str]:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return (text[:_LONGEST] + ("…" if len(text) > _LONGEST else "")).splitlines() or [""]
