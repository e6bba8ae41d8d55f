"""One suite for every provider: real LiteLLM, real HTTP, and whatever a provider does wrong.

Whatever happens, what was noted of the calls is no less than what the provider bills.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models import ModelPlane, ModelSettings, close_connections
from agentflow_dagster.ports.model import Image, Message, ModelRequest, ToolCall, ToolSpec
from agentflow_dagster.testing import Answer, Call, Damaged, ModelServer, Price, Refusal, faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from agentflow_dagster.ports.model import ModelReply, Usage
    from agentflow_dagster.spec.values import JsonSchema
    from agentflow_dagster.testing import Received, Reply

MODELS = {
    "openai": "gpt-4o-mini",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash",
    "ollama": "llama3.1",
    "cohere": "command-r-08-2024",
    "huggingface": "meta-llama/Llama-3.1-8B-Instruct",
    "acme": "acme-1",
}
PRICE = Price(Decimal(3), Decimal(9))
FACTS = {
    "inputPerMillion": 3,
    "outputPerMillion": 9,
    "cachedInputPerMillion": 3,
    "contextWindow": 100_000,
    "maxOutput": 4_000,
    "tools": True,
    "vision": True,
    "jsonSchema": True,
}
WEATHER = ToolSpec(
    "look_up",
    "Says the weather.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
NUMBER: JsonSchema = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8"
    "ffff3f0005fe02fea735818f0000000049454e44ae426082"
)


@dataclass
class Ear:
    """Hears a reply, and forgets what does not count."""

    pieces: list[str] = field(default_factory=list[str])

    def text(self, piece: str) -> None:
        self.pieces.append(piece)

    def again(self) -> None:
        self.pieces.clear()


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[ModelServer]:
    with ModelServer(price=PRICE) as server:
        for provider in MODELS:  # LiteLLM loads some of itself at the first call.
            for ear in (None, Ear()):
                await plane(server).complete(asked(provider, timeout=60.0), ear)
        yield server
    await close_connections()


@pytest.fixture(autouse=True)
def _short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentflow_dagster.models.turns._FIRST_REST", 0.01)
    monkeypatch.setattr("agentflow_dagster.models.turns._LONGEST_REST", 0.02)


def plane(server: ModelServer, *, fault: str = "") -> ModelPlane:
    """Every provider at one server; with little patience where a fault is that nothing comes."""
    limits = {"firstTokenSeconds": 1.0, "silenceSeconds": 0.5, "answerSeconds": 1.2}
    environment = {**server.environment(), "ACME_KEY": "test-key"}
    settings = ModelSettings.model_validate(
        {
            "models": {f"{provider}/{model}": FACTS for provider, model in MODELS.items()},
            "providers": {"acme": {"baseUrl": server.base("acme"), "keyVariable": "ACME_KEY"}},
            **(limits if fault in _SILENT else {}),
        }
    )
    return ModelPlane(environment, settings=settings)


def asked(provider: str, **options: object) -> ModelRequest:
    messages = (Message("system", "Be brief."), Message("user", "Hello?"))
    told: dict[str, object] = {
        "messages": messages,
        "model": f"{provider}/{MODELS[provider]}",
        "max_tokens": 1000,
        "timeout": 60.0,
        **options,
    }
    return ModelRequest(**told)  # type: ignore[arg-type]


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def ear(request: pytest.FixtureRequest) -> Ear | None:
    return Ear() if request.param else None


each_provider = pytest.mark.parametrize("provider", MODELS)
each_protocol = pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "ollama"])
"""The others speak OpenAI's."""
_SILENT = {"slow", "stalled"}
_FINAL = {"filtered", "cut_off", "overbilled"}
"""The provider will not say it, or has said what it may."""


@each_provider
async def test_text(server: ModelServer, provider: str, ear: Ear | None) -> None:
    server.answer_with([Answer("Well, hello there.", tokens_in=30, tokens_out=7)], forget=True)
    reply = await plane(server).complete(asked(provider), ear)
    assert reply.text == "Well, hello there."
    assert (reply.usage.tokens_in, reply.usage.tokens_out) == (30, 7)
    assert reply.usage.cost_usd == server.bill().usd == Decimal("0.000153")
    assert reply.usage.provider == provider
    if ear is not None:
        assert "".join(ear.pieces) == reply.text
        assert len(ear.pieces) > 1
        assert reply.usage.first_token_ms is not None
    (received,) = server.received
    assert received.asked.provider == provider
    assert received.asked.max_tokens == 1000


@each_provider
async def test_structured_output(server: ModelServer, provider: str, ear: Ear | None) -> None:
    server.answer_with([Answer('{"n": 4}')], forget=True)
    reply = await plane(server).complete(asked(provider, output_schema=NUMBER), ear)
    assert reply.output == {"n": 4}


@each_provider
async def test_a_wrong_reply_is_repaired(server: ModelServer, provider: str) -> None:
    server.answer_with([faults.wrong_schema(), Answer('{"n": 4}')], forget=True)
    reply = await plane(server).complete(asked(provider, output_schema=NUMBER))
    assert reply.output == {"n": 4}
    assert len(reply.failed) == 1
    assert _noted((reply.usage, *reply.failed)) == server.bill().usd
    assert "'n' is a required property" in server.received[1].asked.text


@each_provider
async def test_tools(server: ModelServer, provider: str, ear: Ear | None) -> None:
    server.answer_with([Answer("", (Call("look_up", {"city": "Paris"}),))], forget=True)
    reply = await plane(server).complete(asked(provider, tools=(WEATHER,)), ear)
    (call,) = reply.tool_calls
    assert (call.name, call.arguments) == ("look_up", {"city": "Paris"})
    answered = (
        Message("user", "How is the weather in Paris?"),
        Message("assistant", "", tool_calls=(ToolCall(call.id, call.name, call.arguments),)),
        Message("tool", "It rains.", tool_call_id=call.id, tainted=True),
    )
    server.answer_with([Answer("Rain.")], forget=True)
    reply = await plane(server).complete(asked(provider, tools=(WEATHER,), messages=answered), ear)
    assert reply.text == "Rain."
    assert "It rains." in str(server.received[0].body)


@each_provider
async def test_images(server: ModelServer, provider: str) -> None:
    server.answer_with([Answer("One pixel.")], forget=True)
    shown = (Message("user", "What is it?", images=(Image("image/png", PIXEL),)),)
    reply = await plane(server).complete(asked(provider, messages=shown))
    assert reply.text == "One pixel."
    assert "iVBORw0KGgo" in str(server.received[0].body)


_ENDS: Mapping[str, set[str]] = {
    # What may become of a call whose every answer is this one.
    "slow": {"answer", "error"},
    "usage_missing": {"answer", "error"},
    "cut_off": {"answer"},
    "overbilled": {"answer"},
    "wrong_schema": {"answer"},  # No schema was asked for.
    "wrong_arguments": {"answer"},  # Judged by whoever offers the tool.
    "unknown_tool": {"answer"},
}


@each_protocol
@pytest.mark.parametrize("name", faults.EVERY)
async def test_no_fault_is_taken_for_an_answer(
    server: ModelServer, provider: str, name: str, ear: Ear | None
) -> None:
    fault = faults.EVERY[name]
    server.answer_with([fault], forget=True)
    tools = (WEATHER,) if name.endswith(("arguments", "tool")) else ()
    noted: tuple[Usage, ...]
    seconds = 3.0 if name in _SILENT else 60.0
    request = asked(provider, tools=tools, timeout=seconds)
    try:
        reply = await plane(server, fault=name).complete(request, ear)
        end, noted, said = "answer", (reply.usage, *reply.failed), "an answer"
        _is_whole(fault, reply)
    except ModelError as error:
        end, noted, said = "error", error.usage, str(error)
    assert said
    assert "test-key" not in said
    assert end in _ENDS.get(name, {"error"})
    assert _noted(noted) >= _billed(server)


@each_protocol
@pytest.mark.parametrize("name", [name for name in faults.EVERY if name not in _FINAL])
async def test_after_a_fault_there_is_an_answer(
    server: ModelServer, provider: str, name: str, ear: Ear | None
) -> None:
    """By the same model again, or by the next."""
    good = Answer("Four is the answer.")
    beside = "anthropic" if provider == "openai" else "openai"
    server.answer_with({provider: [faults.EVERY[name], good], beside: [good]}, forget=True)
    routing = {
        "strategy": "fixed",
        "fallbacks": [{"provider": beside, "model": MODELS[beside]}],
    }
    request = asked(provider, routing=_routing(routing), timeout=60.0)
    reply = await plane(server, fault=name).complete(request, ear)
    _is_whole(faults.EVERY[name], reply)
    assert _noted((reply.usage, *reply.failed)) >= _billed(server)
    if ear is not None:
        assert "".join(ear.pieces) == reply.text


def _routing(told: object) -> object:
    from agentflow_dagster.spec.demands import LLMRouting

    return LLMRouting.model_validate(told)


def _is_whole(fault: Reply, reply: ModelReply) -> None:
    """What was said is what was scripted, not a part of it."""
    said = {"Four is the answer.", fault.text if isinstance(fault, Answer) else ""}
    assert reply.text in said
    assert reply.text or reply.tool_calls


def _billed(server: ModelServer) -> Decimal:
    """USD of all calls but those that were answered with an error, which nobody bills."""
    return server.bill().usd - sum(
        (
            PRICE.of(call.reply.answer if isinstance(call.reply, Damaged) else call.reply)
            for call in server.received
            if not isinstance(call.reply, Refusal) and _is_error(call)
        ),
        Decimal(0),
    )


def _is_error(call: Received) -> bool:
    if isinstance(call.reply, Damaged):
        return call.reply.damage == "error" and not call.asked.stream
    broken = isinstance(call.reply, Answer) and any(one.is_broken for one in call.reply.calls)
    return broken and call.asked.protocol == "ollama"


def _noted(usage: tuple[Usage, ...]) -> Decimal:
    """USD that are known to be spent, or may be."""
    return sum((one.cost_usd or Decimal(0) for one in usage), Decimal(0))
