"""The plane over every provider's protocol, at a server that stands in for them."""

from __future__ import annotations

import psutil
import pytest

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models import ModelPlane
from agentflow_dagster.models.settings import ModelSettings
from agentflow_dagster.ports.model import Message, ModelRequest, ToolSpec
from agentflow_dagster.testing import Answer, Call, ModelServer

pytestmark = pytest.mark.usefixtures("_closed_connections")

ASKED = (Message("user", "Where is the Eiffel Tower?"),)
LOOK_UP = ToolSpec(
    "look_up",
    "Looks a city up.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
MODELS = {
    "openai": "openai/gpt-4o-mini",
    "anthropic": "anthropic/claude-haiku-4-5",
    "gemini": "gemini/gemini-2.5-flash",
    "ollama": "ollama_chat/qwen3",
    "cohere": "cohere/command-r7b-12-2024",
    "huggingface": "huggingface/Qwen/Qwen3-32B",
}


@pytest.mark.parametrize("provider", MODELS)
async def test_a_tool_is_offered_and_called(provider: str):
    script = [Answer("", (Call("look_up", {"city": "Paris"}),), tokens_in=50, tokens_out=7)]
    request = ModelRequest(ASKED, model=MODELS[provider], tools=(LOOK_UP,))
    with ModelServer(script) as server:
        reply = await ModelPlane(server.environment(provider)).complete(request)
    assert [(call.name, call.arguments) for call in reply.tool_calls] == [
        ("look_up", {"city": "Paris"})
    ]
    assert (reply.usage.tokens_in, reply.usage.tokens_out) == (50, 7)
    assert [tool.name for tool in server.received[0].asked.tools] == ["look_up"]


async def test_a_server_that_is_to_stream_does_though_nobody_listens():
    """LiteLLM gives up a stream that says the same piece a hundred times; tables do."""
    row = "---- " * 150
    with ModelServer([Answer(row)]) as server:
        servers = {name: {"baseUrl": server.base(name), "stream": name == "a"} for name in "ab"}
        settings = ModelSettings.model_validate({"providers": servers})
        plane = ModelPlane({}, settings=settings)
        streamed = await plane.complete(ModelRequest(ASKED, model="a/one"))
        whole = await plane.complete(ModelRequest(ASKED, model="b/one"))
    assert streamed.text == whole.text == row
    assert [call.asked.stream for call in server.received] == [True, False]
    assert streamed.usage.first_token_ms is not None
    assert whole.usage.first_token_ms is None


async def test_a_test_calls_no_real_model():
    plane = ModelPlane({"OPENAI_API_KEY": "sk-test"})
    with pytest.raises(ModelError, match="would have called a real model") as raised:
        await plane.complete(ModelRequest(ASKED, model="gpt-4o-mini"))
    assert "real_models" in raised.value.hint


@pytest.mark.parametrize("provider", MODELS)
async def test_calls_share_a_connection(provider: str):
    """Whatever time each has left."""
    with ModelServer([Answer("Paris.")]) as server:
        plane = ModelPlane(server.environment(provider))
        port = int(server.url.rpartition(":")[2])
        for seconds in (31.0, 32.5, 33.25, 34.0):
            await plane.complete(ModelRequest(ASKED, model=MODELS[provider], timeout=seconds))
        here = psutil.Process().net_connections("tcp")
        assert len([one for one in here if one.raddr and one.raddr.port == port]) == 1, here
