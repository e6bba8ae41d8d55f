"""A call of another agent is refused where it would never end, or its input does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.engine.agent_calls import MAX_DEPTH, call_input, require_end
from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.agents import AgentCall
from agentflow_dagster.spec.document import LLM
from tests.support.documents import minimal, plan

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

NODES: JsonObject = {"say": {"kind": "ai.chat", "with": {"prompt": "{{input.body}}"}}}

INPUTS: JsonObject = {
    "type": "object",
    "required": ["body"],
    "properties": {"body": {"type": "string"}, "tone": {"type": "string", "default": "plain"}},
}


def call(given: JsonObject) -> AgentCall:
    return AgentCall("other", given, LLM(), key="k", run_id="r", node="n")


def test_one_that_stands_above_itself() -> None:
    with pytest.raises(RunError, match="'a' would run itself: a -> b -> a") as refused:
        require_end("a", ["a", "b"])
    assert not refused.value.retryable


def test_one_that_stands_too_deep() -> None:
    above = [f"a{number}" for number in range(MAX_DEPTH)]
    require_end("last", above[1:])
    with pytest.raises(RunError, match=f"more than {MAX_DEPTH} deep"):
        require_end("last", above)


def test_the_input_is_completed() -> None:
    other = plan(minimal(NODES, inputs=INPUTS))
    assert call_input(other, call({"body": "x"})) == {"body": "x", "tone": "plain"}


def test_an_input_that_does_not_fit() -> None:
    with pytest.raises(RunError, match="'other': ") as refused:
        call_input(plan(minimal(NODES, inputs=INPUTS)), call({"tone": "x"}))
    assert not refused.value.retryable
