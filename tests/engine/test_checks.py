"""What a node's checks tell holds no secret, whether they passed, warn or failed the step."""

from __future__ import annotations

import pytest

from agentflow_dagster.engine.failures import redacted_checks, run_error
from agentflow_dagster.engine.redaction import Redactor
from agentflow_dagster.errors import ChecksFailed
from agentflow_dagster.spec.checks import CheckResult
from tests.engine.test_step import SECRET, Bench, giving

LEAK = CheckResult("unique", False, f"is {SECRET}", {"unexpected": [SECRET], SECRET: 1})


def test_no_secret_is_in_a_check() -> None:
    (kept,) = redacted_checks((LEAK,), Redactor([SECRET]))
    assert (kept.name, kept.passed) == ("unique", False)
    assert kept.description == "is ***"
    assert kept.facts == {"unexpected": ["***"], "***": 1}


def test_no_secret_is_in_the_checks_of_a_failure() -> None:
    failure = run_error(ChecksFailed(SECRET, checks=(LEAK,)), "n", Redactor([SECRET]))
    assert isinstance(failure, ChecksFailed)
    assert SECRET not in f"{failure} {failure.checks}"
    assert not failure.retryable


@pytest.mark.parametrize("passed", [True, False])
async def test_no_secret_is_in_the_checks_of_a_result(passed: bool) -> None:
    check = CheckResult("unique", passed, f"is {SECRET}")
    done = await Bench(giving(None, checks=(check,))).run()
    assert done.result is not None
    (kept,) = done.result.checks
    assert (kept.passed, kept.description) == (passed, "is ***")
