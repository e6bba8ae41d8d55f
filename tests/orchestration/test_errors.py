"""What becomes of a step that fails: attempts, the way by `error`, a failed run; time limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dagster import DagsterEventType

from agentflow_dagster.errors import ModelError
from tests.orchestration.samples import agent

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.ports.model import ModelRequest
    from tests.orchestration.bench import Bench

RETRY = "retry: {maxAttempts: 3, backoff: fixed, delay: 1ms}"
HANDLED = f"""
    shaky: {{kind: ai.chat, {RETRY}, onError: {{to: handler}}, with: {{prompt: shaky}}}}
    handler: {{kind: ai.chat, with: {{prompt: "handle {{{{shaky.error.message}}}} ({{{{shaky.error.type}}}})"}}}}
    after: {{kind: ai.chat, with: {{prompt: "{{{{shaky.output.text}}}}"}}}}
    done: {{kind: logic.merge, join: any, with: {{from: [after, handler]}}}}
"""  # noqa: E501


def failing(
    bench: Bench, *, times: int = 99, retryable: bool = True
) -> Callable[[ModelRequest], str]:
    """Fails whoever asks `shaky`, so many times."""
    left = [times]

    def answer(request: ModelRequest) -> str:
        asked = request.messages[-1].content
        if asked == "shaky" and left[0] > 0:
            left[0] -= 1
            raise ModelError("the model is down", model="m", provider="p", retryable=retryable)
        return f"re: {asked}"

    bench.model.answer = answer
    return answer


def asked(bench: Bench, prompt: str) -> int:
    return sum(r.messages[-1].content == prompt for r in bench.model.requests)


def test_the_last_failure_leaves_by_error(bench: Bench) -> None:
    bench.serve(agent("handled", HANDLED))
    failing(bench)
    ran = bench.run("handled")
    assert ran.status == "SUCCESS"
    assert asked(bench, "shaky") == 3
    assert ran.count(DagsterEventType.STEP_UP_FOR_RETRY, "shaky") == 2
    assert ran.count(DagsterEventType.STEP_RESTARTED, "shaky") == 2
    assert ran.outputs("shaky") == ["error"]
    assert ran.skipped == {"after"}
    assert ran.materialized == {"handler", "done"}
    assert ran.values["handler"].value == {"text": "re: handle the model is down (ModelError)"}
    assert ran.values["done"].value == ran.values["handler"].value
    assert ran.values["shaky"].facts["attempts"] == 3


def test_a_handled_error_shows_in_the_record(bench: Bench) -> None:
    bench.serve(agent("shown", HANDLED))
    failing(bench)
    ran = bench.run("shown")
    (expectation,) = ran.of_type(DagsterEventType.STEP_EXPECTATION_RESULT)
    result = expectation.event_specific_data.expectation_result
    assert not result.success
    assert "the model is down" in result.description
    assert ran.tags["agentflow/handled_error"] == "shaky"
    errors = [e for e in ran.events if e.level == 40 and e.step_key == "shown.shaky"]
    assert any("the model is down" in e.user_message for e in errors)


def test_several_handled_errors_are_all_named(bench: Bench) -> None:
    nodes = """
    a: {kind: ai.chat, onError: {to: x}, with: {prompt: shaky}}
    b: {kind: ai.chat, onError: {to: x}, with: {prompt: shaky}}
    x: {kind: ai.chat, join: any, with: {prompt: x}}
    """
    bench.serve(agent("several", nodes))
    failing(bench)
    assert bench.run("several").tags["agentflow/handled_error"] == "a,b"


def test_a_later_attempt_may_succeed(bench: Bench) -> None:
    bench.serve(agent("later", HANDLED))
    failing(bench, times=2)
    ran = bench.run("later")
    assert ran.status == "SUCCESS"
    assert ran.outputs("shaky") == ["result"]
    assert ran.values["shaky"].facts["attempts"] == 3
    assert ran.skipped == {"handler"}
    assert "agentflow/handled_error" not in ran.tags


def test_what_cannot_get_better_is_not_tried_again(bench: Bench) -> None:
    bench.serve(agent("hopeless", HANDLED))
    failing(bench, retryable=False)
    ran = bench.run("hopeless")
    assert ran.status == "SUCCESS"
    assert asked(bench, "shaky") == 1
    assert ran.outputs("shaky") == ["error"]


@pytest.mark.parametrize(("retryable", "attempts"), [(True, 3), (False, 1)])
def test_unhandled_the_run_fails_and_keeps_what_others_made(
    bench: Bench, retryable: bool, attempts: int
) -> None:
    nodes = f"""
    before: {{kind: ai.chat, with: {{prompt: before}}}}
    shaky: {{kind: ai.chat, after: [before], {RETRY}, with: {{prompt: shaky}}}}
    after: {{kind: ai.chat, after: [shaky], with: {{prompt: after}}}}
    beside: {{kind: ai.chat, after: [before], with: {{prompt: beside}}}}
    further: {{kind: ai.chat, after: [beside], with: {{prompt: further}}}}
    """
    bench.serve(agent("unhandled", nodes))
    failing(bench, retryable=retryable)
    ran = bench.run("unhandled")
    assert ran.status == "FAILURE"
    assert asked(bench, "shaky") == attempts
    assert ran.failed == {"shaky"}
    assert ran.materialized == set(ran.values) == {"before", "beside", "further"}
    assert "the model is down" in ran.failure("shaky").user_failure_data.description


def test_no_retry_is_asked_for_where_none_is_said(bench: Bench) -> None:
    nodes = """
    shaky: {kind: ai.chat, with: {prompt: shaky}}
    """
    bench.serve(agent("once", nodes))
    failing(bench)
    ran = bench.run("once")
    assert ran.status == "FAILURE"
    assert asked(bench, "shaky") == 1


@pytest.mark.parametrize(
    ("backoff", "waits"),
    [("fixed", [0.004, 0.004, 0.004]), ("linear", [0.004, 0.008, 0.012]),
     ("exponential", [0.004, 0.012, 0.028])],
)  # fmt: skip
def test_how_long_attempts_wait_for_each_other(
    bench: Bench, backoff: str, waits: list[float]
) -> None:
    retry = f"retry: {{maxAttempts: 4, backoff: {backoff}, delay: 4ms}}"
    nodes = f"""
    shaky: {{kind: ai.chat, {retry}, with: {{prompt: shaky}}}}
    """
    bench.serve(agent("waits", nodes))
    failing(bench)
    ran = bench.run("waits")
    assert asked(bench, "shaky") == 4
    told = [
        event.step_retry_data.seconds_to_wait
        for event in ran.of_type(DagsterEventType.STEP_UP_FOR_RETRY)
    ]
    assert told == pytest.approx(waits)


def test_a_model_that_never_answers_is_given_up(bench: Bench) -> None:
    nodes = """
    slow: {kind: ai.chat, timeout: 50ms, onError: {to: rescue}, with: {prompt: slow}}
    rescue: {kind: ai.chat, with: {prompt: "{{slow.error.message}}"}}
    """
    bench.serve(agent("patient", nodes))
    bench.model.hang_on("slow")
    ran = bench.run("patient")
    assert ran.status == "SUCCESS"
    assert ran.values["slow"].port == "error"
    said = str(ran.values["rescue"].value)
    assert "'slow' was still at work after 0.05 s" in said
    assert "`timeout`" in said


def test_code_without_end_is_ended(bench: Bench) -> None:
    nodes = """
    endless:
      kind: code.python
      timeout: 500ms
      with: {code: "while True: pass"}
    """
    bench.serve(agent("endless", nodes))
    ran = bench.run("endless")
    assert ran.status == "FAILURE"
    failure = ran.failure("endless").user_failure_data
    assert "0.5 s" in failure.description
    assert ran.values == {}


def test_the_authors_traceback_is_in_the_record(bench: Bench) -> None:
    nodes = """
    broken:
      kind: code.python
      with: {code: "print('so far')\\nraise ValueError('no good')"}
    """
    bench.serve(agent("broken", nodes))
    failure = bench.run("broken").failure("broken").user_failure_data
    assert "no good" in failure.description
    assert "<node broken>" in failure.metadata["traceback"].value
    assert "so far" in failure.metadata["stdout"].value
