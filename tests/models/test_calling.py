"""The path through LiteLLM, against a real HTTP server on the loopback interface."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import traceback
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models import ModelPlane, close_connections
from agentflow_dagster.models.litellm_loading import load_litellm
from agentflow_dagster.ports.model import Message, ModelReply, ModelRequest
from agentflow_dagster.testing import Answer, ModelServer
from tests.support.openai_server import OpenAIServer, Scripted

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonSchema

pytestmark = pytest.mark.usefixtures("_closed_connections")

KEY = "sk-test-0123456789abcdef"
MINI = "gpt-4o-mini"
EACH_PROTOCOL = (
    "openai/gpt-4o-mini",
    "anthropic/claude-haiku-4-5",
    "gemini/gemini-2.5-flash",
    "ollama_chat/qwen3",
)
ANSWER: JsonSchema = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


class Ear:
    """Listens."""

    def text(self, piece: str) -> None:
        assert piece

    def again(self) -> None:
        """Nothing is kept."""


async def ask(
    server: OpenAIServer,
    *,
    model: str | None = MINI,
    schema: JsonSchema | None = None,
    key: str = KEY,
    **options: Any,
) -> ModelReply:
    environment = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": key}
    messages = (Message("system", "Be brief."), Message("user", "Hello?"))
    request = ModelRequest(messages, model=model, output_schema=schema, **options)
    return await ModelPlane(environment).complete(request)


@pytest.fixture(autouse=True)
def _short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentflow_dagster.models.turns._FIRST_REST", 0.01)


async def fails(*replies: Scripted, calls: int | None = None, **options: Any) -> ModelError:
    """The failure of a request; of one that may be retried, after three calls."""
    with OpenAIServer(replies) as server, pytest.raises(ModelError) as raised:
        await ask(server, **options)
    assert len(server.requests) == (calls or (3 if raised.value.retryable else 1))
    return raised.value


def test_the_connections_of_an_event_loop_end_with_it() -> None:
    async def ask_and_close() -> None:
        await ask(server)
        await close_connections()

    with OpenAIServer([Scripted("4")]) as server:
        asyncio.run(ask_and_close())
        port = int(server.url.split(":")[2].split("/")[0])
        here = psutil.Process().net_connections("tcp")
        assert not [one for one in here if one.raddr and one.raddr.port == port]
        asyncio.run(ask_and_close())
        assert len(server.requests) == 2


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", EACH_PROTOCOL)
def test_an_event_loop_takes_no_connection_of_one_that_has_ended(model: str, *, streamed: bool):
    """As in a process that carries out steps, each in a loop of its own."""

    async def complete() -> str:
        request = ModelRequest((Message("user", "Hello?"),), model=model)
        plane = ModelPlane(server.environment(model.partition("/")[0].removesuffix("_chat")))
        reply = await plane.complete(request, Ear() if streamed else None)
        await close_connections()
        return reply.text

    with ModelServer([Answer("Hi.")]) as server:
        assert [asyncio.run(complete()) for _ in range(3)] == ["Hi."] * 3
        assert len(server.received) == 3


def test_clients_are_not_known_by_an_address_that_the_next_event_loop_may_have():
    cache: Any = load_litellm().in_memory_llm_clients_cache

    async def key() -> str:
        return cache.update_cache_key_with_event_loop("")

    assert len({asyncio.run(key()) for _ in range(20)}) == 20


def test_what_litellm_knows_of_a_model_is_kept_until_its_prices_change():
    litellm: Any = load_litellm()
    name = "one-that-is-new"
    for window in (1_000, 2_000):
        entry = {"max_input_tokens": window, "litellm_provider": "openai", "mode": "chat"}
        litellm.register_model({name: entry})
        found = litellm.utils.get_model_info_helper(name, "openai")
        assert found["max_input_tokens"] == window
        found["max_input_tokens"] = 0  # Who asked may write on it, as LiteLLM does.
        assert litellm.utils.get_model_info_helper(name, "openai")["max_input_tokens"] == window
    del litellm.model_cost[name]


async def test_an_answer_with_its_usage_and_price():
    scripted = Scripted("Hi.", tokens_in=1000, tokens_out=100, model="gpt-4o-mini-2024-07-18")
    with OpenAIServer([scripted]) as server:
        reply = await ask(server, temperature=0.2, max_tokens=50)
    assert (reply.text, reply.output) == ("Hi.", None)
    usage = reply.usage
    assert (usage.tokens_in, usage.tokens_out) == (1000, 100)
    # $0.15 and $0.60 for a million tokens
    assert usage.cost_usd == Decimal("0.00021")
    assert (usage.model, usage.provider) == ("gpt-4o-mini-2024-07-18", "openai")
    assert usage.latency_ms > 0
    sent = server.requests[0]
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body["model"] == MINI
    assert sent.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
    ]
    assert (sent.body["temperature"], sent.body["max_tokens"]) == (0.2, 50)


async def test_two_answers_of_different_length_have_different_prices():
    with OpenAIServer([Scripted(tokens_out=10), Scripted(tokens_out=1000)]) as server:
        short, long = await ask(server), await ask(server)
    assert short.usage.cost_usd is not None
    assert long.usage.cost_usd is not None
    assert short.usage.cost_usd < long.usage.cost_usd


async def test_no_model_takes_the_default():
    with OpenAIServer() as server:
        await ask(server, model=None)
    assert server.requests[0].body["model"] == MINI


async def test_a_price_that_nobody_knows_is_none():
    with OpenAIServer() as server:
        reply = await ask(server, model="openai/my-own-model")
    assert reply.usage.cost_usd is None
    assert reply.usage.tokens_in == 10


async def test_a_provider_without_figures_is_counted_by_us():
    with OpenAIServer([Scripted("Hi there.", usage=False)]) as server:
        reply = await ask(server)
    assert reply.usage.tokens_in > 5
    assert reply.usage.tokens_out > 1
    assert reply.usage.cost_usd is not None
    assert reply.usage.cost_usd > 0


async def test_a_parameter_that_the_model_does_not_take_is_left_out():
    with OpenAIServer() as server:
        await ask(server, model="o3-mini", temperature=0.2)
    assert "temperature" not in server.requests[0].body


async def test_a_schema_is_sent_and_the_reply_checked():
    with OpenAIServer([Scripted('{"n": 3}')]) as server:
        reply = await ask(server, schema=ANSWER)
    assert reply.output == {"n": 3}
    sent = server.requests[0].body["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["schema"] == ANSWER
    assert sent["json_schema"]["strict"] is True


async def test_a_model_without_response_format_is_told_in_words():
    with OpenAIServer([Scripted('```json\n{"n": 3}\n```')]) as server:
        reply = await ask(server, model="openai/my-own-model", schema=ANSWER)
    assert reply.output == {"n": 3}
    sent = server.requests[0].body
    assert "response_format" not in sent
    assert json.dumps(ANSWER) in sent["messages"][0]["content"]


@pytest.mark.parametrize(
    ("text", "said"), [("three", "not JSON"), ('{"n": "3"}', "/n"), ("{}", "'n' is a required")]
)
async def test_a_reply_that_misses_the_schema_may_be_tried_again(text: str, said: str):
    error = await fails(Scripted(text), schema=ANSWER)
    assert said in error.message
    assert error.retryable
    assert error.status is None


async def test_a_reply_that_was_cut_off_says_so():
    error = await fails(Scripted('{"n": ', finish_reason="length"), schema=ANSWER, calls=1)
    assert "max_tokens" in error.hint


async def test_an_empty_reply_is_an_error():
    assert "is empty" in (await fails(Scripted(None))).message
    cut = await fails(Scripted(None, finish_reason="length"), calls=1)
    assert "max_tokens" in cut.hint
    assert not (await fails(Scripted(None, finish_reason="content_filter"))).retryable


@pytest.mark.parametrize(
    ("status", "retryable", "hint"),
    [
        (400, False, ""),
        (401, False, "OPENAI_API_KEY"),
        (403, False, "OPENAI_API_KEY"),
        (404, False, "model's name"),
        (422, False, ""),
        (429, True, "rate or credit"),
        (500, True, ""),
        (503, True, ""),
    ],
)
async def test_refusals(status: int, retryable: bool, hint: str):
    error = await fails(Scripted("Sorry.", status=status))
    assert error.status == status or (status, error.status) == (422, 400)
    assert error.retryable is retryable
    assert hint in error.hint
    assert (error.model, error.provider) == (MINI, "openai")


async def test_a_server_that_does_not_answer_in_time():
    error = await fails(Scripted(hang=True), timeout=0.2, calls=1)
    assert "0.2 s" in error.message
    assert error.retryable
    assert error.status is None


async def test_a_server_that_is_not_there():
    with OpenAIServer() as server:
        pass
    with pytest.raises(ModelError, match="cannot be reached") as raised:
        await ask(server)
    assert raised.value.retryable
    assert raised.value.status is None


async def test_a_server_that_speaks_something_else():
    error = await fails(Scripted(body="<html>hello</html>"))
    assert "no JSON" in error.message


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
@pytest.mark.parametrize("key", [KEY, "plain-secret-0815"])
async def test_no_key_is_in_an_error_or_its_traceback(status: int, key: str):
    error = await fails(Scripted(f"Bad key {key}, sk-other-98765.", status=status), key=key)
    shown = "".join(traceback.format_exception(error)) + repr(error) + error.hint
    assert key not in shown
    assert "98765" not in shown


async def test_a_loopback_server_needs_no_key():
    with OpenAIServer([Scripted("Hi.")]) as server:
        model = ModelPlane({"OPENAI_BASE_URL": server.url})
        reply = await model.complete(ModelRequest((Message("user", "Hello?"),)))
    assert reply.text == "Hi."


async def test_many_at_once():
    def echo(body: dict[str, Any]) -> Scripted:
        return Scripted(body["messages"][-1]["content"])

    with OpenAIServer(echo) as server:
        model = ModelPlane({"OPENAI_BASE_URL": server.url})
        asked = [ModelRequest((Message("user", str(n)),)) for n in range(20)]
        replies = await asyncio.gather(*(model.complete(request) for request in asked))
    assert [reply.text for reply in replies] == [str(n) for n in range(20)]


def test_one_loop_after_another_prints_nothing_and_asks_nobody_for_prices():
    code = """
import asyncio, sys
from agentflow_dagster.models import ModelPlane, close_connections
from agentflow_dagster.ports.model import Message, ModelRequest
model = ModelPlane({"OPENAI_BASE_URL": sys.argv[1]})
for text in ("one", "two", "three"):
    asyncio.run(model.complete(ModelRequest((Message("user", text),))))
"""
    with OpenAIServer() as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, server.url],
            capture_output=True,
            text=True,
            check=False,
        )
        assert len(server.requests) == 3, done.stderr
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
