"""What a finished run gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.engine.outputs import agent_outputs
from agentflow_dagster.ports.stores import StepOutput
from agentflow_dagster.spec.values import TABLE, Part
from tests.support.documents import agent, minimal

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

CHAT: JsonObject = {"kind": "ai.chat", "with": {"prompt": "hi"}}
AGENT = agent(
    minimal(
        {"a": CHAT, "b": CHAT},
        env=["HOST"],
        outputs={
            "text": "{{a.output.text}}",
            "both": {"a": "{{a.output.text}}", "of": "{{run.agent}} {{input.n}} {{env.HOST}}"},
            "guarded": "{{has(b.output) ? b.output.text : 'none'}}",
            "failed": "{{b.error.message}}",
            "table": "{{a.output.table}}",
            "plain": 1,
        },
    )
)
TABLE_PART = Part(TABLE, b"arrow", {"rows": 1})


def test_outputs_are_filled_from_the_steps() -> None:
    steps = {"a": StepOutput("result", {"text": "hi", "table": TABLE_PART})}
    found = agent_outputs(AGENT, "run-1", {"n": 1}, steps, {"HOST": "h", "OTHER": "o"})
    assert found == {
        "text": "hi",
        "both": {"a": "hi", "of": "small 1 h"},
        "guarded": "none",
        "failed": None,
        "table": TABLE_PART,
        "plain": 1,
    }


def test_an_error_that_was_handled_can_be_read() -> None:
    steps = {"b": StepOutput("error", {"message": "no", "type": "RunError"})}
    assert agent_outputs(AGENT, "run-1", {}, steps, {})["failed"] == "no"


def test_a_run_that_failed_first_gives_nothing() -> None:
    found = agent_outputs(AGENT, "run-1", {}, {}, {})
    assert found["text"] is None
    assert found["both"] is None
    assert found["guarded"] == "none"


def test_steps_of_nodes_that_are_gone_are_left_aside() -> None:
    assert agent_outputs(AGENT, "run-1", {}, {"gone": StepOutput("result", 1)}, {})["plain"] == 1
