"""LiteLLM is answered in every protocol over real HTTP, as a whole and in pieces."""

from __future__ import annotations

import base64
import gc
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.models.litellm_loading import load_litellm
from agentflow_dagster.testing import Answer, Call, ModelServer, Price
from tests.testing.calling import MODELS, TOOL, arguments, call, provider_of

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonSchema

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("litellm")]

STREAMS = [tried for tried in MODELS if tried != "cohere"]
WAYS = [(tried, False) for tried in MODELS] + [(tried, True) for tried in STREAMS]
CALLS_TOOLS = [way for way in WAYS if way[0] != "generate"]
RED = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
CITY: JsonSchema = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(("tried", "stream"), WAYS)
async def test_an_answer_with_its_figures(server: ModelServer, tried: str, stream: bool):
    server.answer_with([Answer("Hello there, friend.", tokens_in=100, tokens_out=20)])
    got = await call(server, tried, stream=stream, max_tokens=50, temperature=0.5)
    assert (got.error, got.text, got.finish) == (None, "Hello there, friend.", "stop")
    assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (100, 20)
    assert got.pieces == (3 if stream else 0) or tried == "generate"
    received = server.received[0]
    asked = received.asked
    assert (asked.provider, asked.stream, asked.max_tokens) == (provider_of(tried), stream, 50)
    assert asked.temperature == 0.5
    assert asked.model == MODELS[tried].partition("/")[2]
    assert "Hello?" in asked.text
    assert received.state == "sent"
    assert received.first_byte_at is not None
    assert received.first_byte_at > received.at


@pytest.mark.parametrize(("tried", "stream"), CALLS_TOOLS)
async def test_tools_are_offered_and_called(server: ModelServer, tried: str, stream: bool):
    wanted = (Call("look_up", {"city": "Paris"}), Call("look_up", {"city": "Rome"}))
    server.answer_with([Answer("", wanted)])
    got = await call(server, tried, stream=stream, tools=[TOOL])
    assert [name for name, _ in got.calls] == ["look_up", "look_up"]
    assert arguments(got) == [{"city": "Paris"}, {"city": "Rome"}]
    offered = server.received[0].asked.tools[0]
    assert (offered.name, offered.description) == ("look_up", "Looks a city up.")
    assert set(offered.parameters["properties"]) == {"city"}


@pytest.mark.parametrize("tried", [t for t in MODELS if t != "generate"])
async def test_a_conversation_is_read(server: ModelServer, tried: str):
    shown = f"data:image/png;base64,{base64.b64encode(RED).decode()}"
    picture = {"type": "image_url", "image_url": {"url": shown}}
    function = {"name": "look_up", "arguments": '{"city": "Paris"}'}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "A city."},
    ]
    server.answer_with([Answer()])
    assert (await call(server, tried, messages=messages, tools=[TOOL])).error is None
    said = server.received[0].asked.messages
    assert [message.role for message in said] == ["system", "user", "assistant", "tool"]
    assert [said[0].content, said[1].content, said[3].content] == [
        "Be brief.",
        "What is this?",
        "A city.",
    ]
    assert [image.data for image in said[1].images] == [RED]
    assert [(c.name, c.arguments) for c in said[2].tool_calls] == [("look_up", {"city": "Paris"})]


@pytest.mark.parametrize(
    ("tried", "stream"), [way for way in WAYS if way[0] not in {"cohere", "generate"}]
)
async def test_a_schema_is_asked_for_and_met(server: ModelServer, tried: str, stream: bool):
    server.answer_with([Answer('{"city": "Paris"}')])
    shape = {
        "type": "json_schema",
        "json_schema": {"name": "reply", "schema": CITY, "strict": True},
    }
    got = await call(server, tried, stream=stream, response_format=shape)
    assert got.text.replace(" ", "") == '{"city":"Paris"}'
    schema = server.received[0].asked.output_schema
    assert schema is not None
    assert set(schema["properties"]) == {"city"}


async def test_an_older_model_of_anthropic_is_asked_for_json_by_a_forced_tool(server: ModelServer):
    server.answer_with([Answer('{"city": "Paris"}')])
    shape = {"type": "json_schema", "json_schema": {"name": "reply", "schema": CITY}}
    got = await call(
        server, "anthropic", model="anthropic/claude-3-haiku-20240307", response_format=shape
    )
    assert got.text.replace(" ", "") == '{"city":"Paris"}'
    asked = server.received[0].asked
    assert asked.tool_choice == "json_tool_call"
    assert asked.output_schema is not None


@pytest.mark.parametrize(
    ("tried", "cached", "thought"), [("openai", 40, 8), ("anthropic", 40, 0), ("gemini", 40, 8)]
)
async def test_figures_of_cached_and_reasoned_tokens(
    server: ModelServer, tried: str, cached: int, thought: int
):
    answer = Answer(tokens_in=100, tokens_out=20, tokens_cached=40, tokens_reasoning=8)
    server.answer_with([answer])
    usage = (await call(server, tried)).usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (100, 20)
    assert usage.prompt_tokens_details.cached_tokens == cached
    assert usage.completion_tokens_details.reasoning_tokens == thought


@pytest.mark.parametrize(("tried", "stream"), WAYS)
async def test_the_limit_of_tokens_is_kept_to(server: ModelServer, tried: str, stream: bool):
    server.answer_with([Answer("One two three four.", tokens_out=100)])
    got = await call(server, tried, stream=stream, max_tokens=50)
    assert got.text == "One two t"
    assert got.usage.completion_tokens == 50
    assert server.bill().tokens_out == 50


@pytest.mark.parametrize("stream", [False, True])
async def test_servers_that_speak_openais_protocol(
    server: ModelServer, stream: bool, monkeypatch: pytest.MonkeyPatch
):
    load_litellm()
    # It would ask huggingface.co for the model's settings.
    monkeypatch.setattr("litellm.utils._get_max_position_embeddings", lambda **_: None)
    server.answer_with({"huggingface": [Answer("Hugged.")], "mine": [Answer("Mine.")]})
    model = "huggingface/acme/small"
    hugged = await call(server, "huggingface", model=model, stream=stream)
    mine = await call(server, "mine", model="openai/small", stream=stream)
    through = server.url + "/ollama/v1"
    ollama = await call(server, "ollama", model="openai/qwen3", base=through, stream=stream)
    assert [hugged.text, mine.text, ollama.text] == ["Hugged.", "Mine.", "ok"]
    asked = [received.asked for received in server.received]
    assert [(a.provider, a.protocol) for a in asked] == [
        ("huggingface", "openai"),
        ("mine", "openai"),
        ("ollama", "openai"),
    ]


# LiteLLM makes a client for each of these calls, and never closes it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("stream", [False, True])
async def test_openais_older_call(server: ModelServer, stream: bool):
    server.answer_with([Answer("Once upon a time.", tokens_in=7, tokens_out=9)])
    library = load_litellm()
    reply = await library.atext_completion(
        model="text-completion-openai/gpt-3.5-turbo-instruct",
        prompt="Tell a story.",
        api_base=server.base("openai"),
        api_key="test-key",
        stream=stream,
    )
    pieces = [part async for part in reply] if stream else [reply]
    said = "".join(choice.text or "" for part in pieces for choice in part.choices)
    assert said == "Once upon a time."
    gc.collect()
    assert server.received[0].asked.text == "Tell a story."


@pytest.mark.parametrize(
    ("provider", "model"),
    [(p, MODELS[p]) for p in ("openai", "anthropic", "gemini", "ollama")],
)
async def test_the_environment_points_litellm_here(
    server: ModelServer, provider: str, model: str, monkeypatch: pytest.MonkeyPatch
):
    server.answer_with([Answer("Found.")])
    for name, value in server.environment(provider).items():
        monkeypatch.setenv(name, value)
    library = load_litellm()
    reply = await library.acompletion(model=model, messages=[{"role": "user", "content": "Hi?"}])
    assert reply.choices[0].message.content == "Found."
    assert server.received[0].asked.provider == provider


async def test_what_is_billed_has_the_price_that_was_given():
    price = Price(Decimal(10), Decimal(30), usd_cached=Decimal(1))
    script = {"openai": [Answer(tokens_in=100, tokens_out=10, tokens_cached=50)]}
    with ModelServer(script, price=price) as server:
        await call(server, "openai")
        await call(server, "openai")
        await call(server, "anthropic")
        assert server.bill("openai").usd == 2 * Decimal("0.00085")
        assert (server.bill().calls, server.bill().tokens_in) == (3, 210)
