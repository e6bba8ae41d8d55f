"""Reports as text, as JSON and as JUnit XML."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.testing.junit import write_junit
from agentflow_dagster.operations.testing.telling import MOST_CASES, report_json, told_lines
from agentflow_dagster.ports.document_tests import Broken, CaseReport, TestReport

if TYPE_CHECKING:
    from pathlib import Path

DIFFERS = Broken(
    "expect/0/equals", "outputs.o is another", {"a": 1, "b": 2}, {"a": 1, "b": 3}, differ=True
)
PASSED = CaseReport(None, (), 0.5, 0.01, 12)
FAILED = CaseReport(None, (DIFFERS, Broken("", "It is \x1b[31m late.")), 0.25, None, 0)


def report(*cases: CaseReport, problem: str = "", rate: float = 1.0) -> TestReport:
    return TestReport("triage", "one", None, cases, rate, problem)


def test_what_differs_is_told_as_a_diff() -> None:
    assert list(told_lines(report(FAILED))) == [
        "outputs.o is another (expect/0/equals)",
        "    {",
        '      "a": 1,',
        '  -   "b": 2',
        "  ?        ^",
        '  +   "b": 3',
        "  ?        ^",
        "    }",
        "It is \x1b[31m late.",
    ]


def test_cases_are_told_by_number_and_not_without_end() -> None:
    failed = [CaseReport(n, (Broken("", "No."),), 0.1, 0.0, 0) for n in range(1, MOST_CASES + 3)]
    lines = list(told_lines(report(CaseReport(0, (), 0.1, 0.0, 0), *failed, rate=0.5)))
    assert lines[0] == "4.3% of 23 cases passed; 50.0% are wanted."
    assert lines[1] == "case 1: No."
    assert lines[-1] == "… and 2 more cases."
    assert len(lines) == MOST_CASES + 2


def test_a_problem_is_all_that_is_told() -> None:
    assert list(told_lines(report(problem="No data set."))) == ["No data set."]


def test_what_is_long_is_cut() -> None:
    long = Broken("", "is another", "x" * 9000, "y", differ=True)
    assert sum(len(line) for line in told_lines(report(CaseReport(1, (long,), 0, 0, 0)))) < 5000


def test_json() -> None:
    told = report_json(report(PASSED, FAILED, rate=0.5))
    assert (told["passed"], told["pass_rate"], told["seconds"]) == (True, 0.5, 0.75)
    cases = told["cases"]
    assert isinstance(cases, list)
    assert cases[1] == {
        "case": None,
        "passed": False,
        "seconds": 0.25,
        "cost_usd": None,
        "tokens": 0,
        "broken": [
            {
                "place": "expect/0/equals",
                "message": "outputs.o is another",
                "expected": {"a": 1, "b": 2},
                "got": {"a": 1, "b": 3},
            },
            {"place": "", "message": "It is \x1b[31m late.", "expected": None, "got": None},
        ],
    }


def test_junit(tmp_path: Path) -> None:
    path = tmp_path / "new" / "r.xml"
    write_junit(
        [("a.yaml", report(PASSED)), ("a.yaml", report(FAILED)), ("b.yaml", report(problem="No."))],
        path,
    )
    root = ET.parse(path).getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    (suite,) = root.findall("testsuite")
    passed, failed, broken = suite.findall("testcase")
    assert (passed.get("name"), passed.get("classname"), passed.get("time")) == (
        "one",
        "a.yaml",
        "0.5",
    )
    failure = failed.find("failure")
    assert failure is not None
    assert failure.get("message") == "outputs.o is another (expect/0/equals)"
    assert "\x1b" not in (failure.text or "")
    assert '-   "b": 2' in (failure.text or "")
    assert broken.find("error") is not None


def test_junit_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        write_junit([("a.yaml", report(PASSED))], tmp_path / "file" / "r.xml")
