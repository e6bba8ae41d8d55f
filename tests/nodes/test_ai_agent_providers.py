"""`ai.agent` over the model plane and each provider's protocol: real LiteLLM, real HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from agentflow_dagster.engine.graph_run import run_graph
from agentflow_dagster.engine.secrets import EnvironmentSecrets
from agentflow_dagster.engine.step import Attempt, Services
from agentflow_dagster.models import ModelPlane
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.testing import Answer, Call, ModelServer
from tests.support.contexts import SmallRunner
from tests.support.documents import plan
from tests.support.tool_agent import ANSWER, agent, tool

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

pytestmark = pytest.mark.usefixtures("_closed_connections")

MODELS = {
    "openai": "openai/gpt-4o-mini",
    "anthropic": "anthropic/claude-haiku-4-5",
    "gemini": "gemini/gemini-2.5-flash",
    "ollama": "ollama_chat/qwen3",
}


@pytest.mark.parametrize("provider", MODELS)
@pytest.mark.parametrize("schema", [False, True])
async def test_tools_are_called_and_their_answers_read(provider: str, schema: bool) -> None:
    last = Answer(calls=(Call("answer", {"total": 6}),)) if schema else Answer("It is 6.")
    script = [
        Answer(calls=(Call("double", {"n": 1}), Call("double", {"n": "x"}))),
        Answer("Once more.", calls=(Call("double", {"n": 3}),)),
        last,
    ]
    config: JsonObject = {"schema": ANSWER} if schema else {}
    document: Any = agent(tools={"double": tool()}, system="You calculate.", **config)
    document["spec"]["nodes"]["helper"]["llm"] = {"model": MODELS[provider]}
    with ModelServer(script) as server:
        made = plan(document)
        services = Services(
            builtin_kinds(),
            ModelPlane(server.environment(provider)),
            SmallRunner(),
            EnvironmentSecrets({}),
        )
        done = await run_graph(made, made.steps, Attempt.first(made, {}), services)
        asked = [one.asked for one in server.received]
    assert not done.failures, done.failures
    output = cast("Any", done.outputs["helper"].value)
    assert output["answer" if schema else "text"] == ({"total": 6} if schema else "It is 6.")
    assert [step.get("output") for step in output["steps"]] == [{"d": 2}, None, {"d": 6}]
    assert len(asked) == 3
    said = "\n".join(message.content for message in asked[-1].messages)
    for wanted in ("You calculate.", "How much?", "Once more.", "do not fit", '{"d": 6}'):
        assert wanted in said
    assert sum(usage.tokens_in for usage in done.usage) == 30
