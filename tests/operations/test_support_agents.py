"""The agents of the support pipeline do what their names say, offline, on what they are given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.engine.graph_run import run_graph
from agentflow_dagster.engine.outputs import agent_outputs
from agentflow_dagster.engine.step import Attempt, Services
from agentflow_dagster.graph.inputs import complete_input
from agentflow_dagster.models import ModelPlane
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.sandbox import ChildProcess

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
KINDS = builtin_kinds()
CRASH: JsonObject = {"subject": "Crash on save", "body": "The editor crashes when I save a file."}
BILL: JsonObject = {
    "subject": "Charged twice",
    "body": "My card was charged twice for one invoice.",
}


class NoSecrets:
    def lookup(self, name: str) -> str | None:
        return None


async def run(name: str, ticket: JsonObject, **upstream: Any) -> Any:
    plan = check_file(NOTEBOOKS / f"{name}.agent.yaml", KINDS).require()
    services = Services(KINDS, ModelPlane({}), ChildProcess(), NoSecrets())
    given = complete_input(dict(plan.agent.spec.inputs), {"input": ticket, "upstream": upstream})
    done = await run_graph(plan, plan.steps, Attempt.first(plan, given), services)
    assert not done.failures
    return agent_outputs(plan.agent, "run", given, done.outputs, {})


@pytest.mark.parametrize("name", ["classifier", "responder", "qa"])
def test_nothing_is_said_of_them(name: str) -> None:
    assert check_file(NOTEBOOKS / f"{name}.agent.yaml", KINDS).diagnostics == ()


async def test_the_ticket_decides_what_comes_out() -> None:
    replies: dict[str, str] = {}
    for ticket, category in ((CRASH, "bug"), (BILL, "billing")):
        sorted_ = await run("classifier", ticket)
        assert sorted_["category"] == category
        drafted = await run("responder", ticket, ticket_classifier=sorted_)
        assert drafted["category"] == category
        replies[category] = drafted["reply"]
        judged = await run("qa", ticket, response_generator=drafted)
        assert judged["verdict"] == "send", judged
        assert judged["reply"] == drafted["reply"]
    assert replies["bug"] != replies["billing"]
    assert "Hello" in replies["bug"]


async def test_a_reply_that_is_none_is_not_sent() -> None:
    empty = await run("qa", CRASH, response_generator={"reply": ""})
    poor = await run("qa", CRASH, response_generator={"reply": "No."})
    assert (empty["verdict"], poor["verdict"]) == ("reject", "revise")
    assert empty["score"] < poor["score"] < 0.7
    assert "topic" in poor["problems"]
