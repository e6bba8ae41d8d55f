"""What the document says of models reaches them, and what they take is counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.engine.graph_run import run_graph
from agentflow_dagster.engine.secrets import EnvironmentSecrets
from agentflow_dagster.engine.spending import Spending
from agentflow_dagster.engine.step import Attempt, Services
from agentflow_dagster.errors import ModelError
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.ports.model import ModelReply, Usage
from tests.support.contexts import USAGE, SmallRunner
from tests.support.documents import minimal, plan

if TYPE_CHECKING:
    from agentflow_dagster.engine.graph_run import GraphRun
    from agentflow_dagster.ports.model import Listener, ModelRequest
    from agentflow_dagster.spec.values import JsonObject

VAIN = Usage(5, 0, Decimal("0.0005"), 1.0, "small/model", "small")
ROUTING: JsonObject = {"fallbacks": [{"provider": "openai", "model": "gpt-4o"}]}


@dataclass
class Noting:
    """Answers, after as many failures as it is told."""

    failures: int = 0
    requests: list[ModelRequest] = field(default_factory=list)  # type: ignore[type-arg]

    async def complete(self, request: ModelRequest, listener: Listener | None = None) -> ModelReply:
        self.requests.append(request)
        if len(self.requests) <= self.failures:
            error = ModelError("down", model="m", provider="p", status=503)
            error.usage = (VAIN,)
            raise error
        return ModelReply("ok", None, USAGE, failed=(VAIN,) if self.failures < 0 else ())


async def ran(
    nodes: dict[str, Any],
    model: Noting,
    given: JsonObject | None = None,
    *,
    spending: Spending | None = None,
    **spec: Any,
) -> GraphRun:
    agent = plan(minimal(nodes, **spec))
    services = Services(
        kinds=builtin_kinds(), model=model, code=SmallRunner(), secrets=EnvironmentSecrets({})
    )
    begin = Attempt.first(agent, given or {}, run_id="run-1")
    if spending is not None:
        object.__setattr__(begin, "spending", spending)
    return await run_graph(agent, agent.steps, begin, services)


def chat(prompt: str = "Hello", **more: Any) -> JsonObject:
    return {"kind": "ai.chat", "with": {"prompt": prompt}, **more}


async def test_a_call_says_whose_it_is_and_what_may_be_spent() -> None:
    model = Noting()
    await ran({"a": chat()}, model, budget={"perRunUsd": 0.1, "monthlyUsd": 20})
    caller = model.requests[0].caller
    assert caller is not None
    assert (caller.run_id, caller.agent, caller.node) == ("run-1", "small", "a")
    assert (caller.per_run_usd, caller.monthly_usd) == (Decimal("0.1"), Decimal(20))


async def test_the_routing_goes_before_the_agents_model_and_after_the_nodes() -> None:
    model = Noting()
    nodes = {"a": chat(), "b": chat(llm={"model": "o3"}, after=["a"])}
    await ran(nodes, model, llmRouting=ROUTING, defaults={"llm": {"model": "gpt-4.1"}})
    routed, own = model.requests
    assert routed.model is None
    assert routed.routing is not None
    assert [one.litellm_model for one in routed.routing.fallbacks] == ["openai/gpt-4o", "gpt-4.1"]
    assert own.model == "o3"
    assert own.routing is not None
    assert [one.litellm_model for one in own.routing.fallbacks] == ["openai/gpt-4o"]


async def test_needs_add_up_and_sensitive_data_cannot_be_talked_away() -> None:
    inputs: JsonObject = {
        "type": "object",
        "properties": {"x": {"type": "string", "x-sensitive": True}},
    }
    model = Noting()
    needs = {"needs": {"complexity": "high", "dataSensitivity": "normal"}}
    await ran(
        {"a": chat("{{input.x}}", llm=needs)},
        model,
        {"x": "secret"},
        inputs=inputs,
        defaults={"llm": {"needs": {"accuracy": "critical"}}},
    )
    found = model.requests[0].needs
    assert found is not None
    assert (found.complexity, found.accuracy, found.data_sensitivity) == (
        "high",
        "critical",
        "high",
    )


@pytest.mark.parametrize(("most", "calls"), [(0, 0), (2, 2), (3, 3)])
async def test_a_node_asks_no_more_often_than_it_may(most: int, calls: int) -> None:
    body: JsonObject = {"nodes": {"say": chat("{{item}}")}, "outputs": {"t": "{{say.output.text}}"}}
    loop: JsonObject = {
        "kind": "logic.loop",
        "with": {"over": ["a", "b", "c"], "concurrency": 1, "body": body},
        "limits": {"llmCalls": most},
    }
    model = Noting()
    done = await ran({"each": loop}, model)
    assert len(model.requests) == calls
    if calls < 3:
        assert f"asked a model {most} times" in done.failures["each"].message
        assert not done.failures["each"].retryable


async def test_what_failed_attempts_took_is_counted() -> None:
    model, spending = Noting(failures=2), Spending()
    retry = {"maxAttempts": 3, "backoff": "fixed", "delay": "10ms"}
    done = await ran({"a": chat(retry=retry)}, model, spending=spending)
    assert [request.caller and request.caller.attempt for request in model.requests] == [1, 2, 3]
    assert sum(u.cost_usd or 0 for u in done.usage) == Decimal("0.002")
    assert done.outputs["a"].facts["cost_usd"] == 0.002
    assert spending.figures() == {
        "cost_usd": "0.0020",
        "tokens_in": "22",
        "tokens_out": "3",
        "llm_calls": "3",
    }


async def test_what_a_failed_step_took_is_counted() -> None:
    spending = Spending()
    done = await ran({"a": chat()}, Noting(failures=1), spending=spending)
    assert done.failures["a"].usage == (VAIN,)
    assert done.usage == (VAIN,)
    assert spending.cost_usd == Decimal("0.0005")


async def test_calls_in_vain_within_one_are_counted() -> None:
    done = await ran({"a": chat()}, Noting(failures=-1))
    assert done.outputs["a"].facts["cost_usd"] == 0.0015


async def test_equal_calls_of_a_node_are_told_apart_and_told_again() -> None:
    async def keys(prompt: str, failures: int = 0) -> list[str]:
        said: JsonObject = {
            **chat(prompt),
            "llm": {"cache": True},
            "retry": {"maxAttempts": 2, "delay": "1ms"},
        }
        body: JsonObject = {"nodes": {"say": said}, "outputs": {"t": "{{say.output.text}}"}}
        loop: JsonObject = {
            "kind": "logic.loop",
            "with": {"over": ["a", "b"], "concurrency": 1, "body": body},
        }
        model = Noting(failures)
        await ran({"each": loop, "beside": chat(prompt)}, model)
        return [request.memo for request in model.requests if request.memo]

    one, two = await keys("Same")
    assert one != two
    assert await keys("Same") == [one, two]
    assert await keys("Same", failures=2) == [one, one, two]
    assert not {one, two} & set(await keys("Other"))
