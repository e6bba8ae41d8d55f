from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.errors import ModelError
from agentflow_dagster.ports.model import Message, ModelRequest

if TYPE_CHECKING:
    from agentflow_dagster.models import OfflineModel, SentenceModel
    from agentflow_dagster.spec.values import JsonSchema

TRIAGE: JsonSchema = {
    "type": "object",
    "properties": {
        "label": {
            "anyOf": [
                {"const": "bug", "description": "something is broken"},
                {"const": "howto", "description": "how to use it"},
                {"const": "billing", "description": "money"},
            ]
        },
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["label", "confidence"],
    "additionalProperties": False,
}


def request(
    text: str,
    *,
    system: str = "",
    schema: JsonSchema | None = None,
    max_tokens: int | None = None,
    timeout: float | None = None,
) -> ModelRequest:
    told = (Message("system", system),) if system else ()
    return ModelRequest(
        (*told, Message("user", text)),
        output_schema=schema,
        max_tokens=max_tokens,
        timeout=timeout,
    )


async def test_classifies_as_our_node_asks(offline: OfflineModel):
    reply = await offline.complete(
        request("I was charged twice", system="Classify the user's text.", schema=TRIAGE)
    )
    output: Any = reply.output
    assert output["label"] == "billing"
    assert json.loads(reply.text) == output


async def test_usage_is_counted_and_free(offline: OfflineModel, sentence_model: SentenceModel):
    reply = await offline.complete(request("Reply to: " + "word " * 1000))
    assert reply.usage.tokens_in == sentence_model.count_tokens("Reply to: " + "word " * 1000)
    assert reply.usage.tokens_in > 1000
    assert reply.usage.tokens_out == sentence_model.count_tokens(reply.text)
    assert reply.usage.cost_usd == Decimal(0)
    assert (reply.usage.model, reply.usage.provider) == ("offline/extractive", "offline")
    assert reply.usage.latency_ms > 0


async def test_a_schema_is_read_and_so_counted(offline: OfflineModel):
    bare = await offline.complete(request("I was charged twice"))
    told = await offline.complete(request("I was charged twice", schema=TRIAGE))
    assert told.usage.tokens_in > bare.usage.tokens_in


async def test_the_same_request_gives_the_same_reply(offline: OfflineModel):
    asked = request("Write a reply to this ticket: It broke. It was new. Help me.")
    first, *rest = await asyncio.gather(*(offline.complete(asked) for _ in range(4)))
    assert {reply.text for reply in rest} == {first.text}


async def test_text_stays_within_max_tokens(offline: OfflineModel):
    whole = await offline.complete(request("Reply to: my screen is black. It was new."))
    cut = await offline.complete(request("Reply to: my screen is black. It was new.", max_tokens=6))
    assert cut.usage.tokens_out <= 6
    assert whole.text.startswith(cut.text)


async def test_json_past_max_tokens_is_refused_not_cut(offline: OfflineModel):
    with pytest.raises(ModelError, match="max_tokens 3") as raised:
        await offline.complete(request("I was charged twice", schema=TRIAGE, max_tokens=3))
    assert not raised.value.retryable


async def test_what_the_text_does_not_hold_is_refused(offline: OfflineModel):
    schema = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
    with pytest.raises(ModelError, match="/total") as raised:
        await offline.complete(request("hello", schema=schema))
    assert not raised.value.retryable
    assert "optional" in raised.value.hint


async def test_a_constraint_that_it_cannot_meet_is_refused(offline: OfflineModel):
    schema = {"type": "string", "minLength": 500}
    with pytest.raises(ModelError, match="meets the schema"):
        await offline.complete(request("short", schema=schema))


async def test_the_timeout_holds(offline: OfflineModel):
    with pytest.raises(ModelError, match=r"after 0\.001 s") as raised:
        await offline.complete(request("Summarise: " + "A new word came. " * 400, timeout=0.001))
    assert raised.value.retryable


async def test_nothing_asked_is_answered_all_the_same(offline: OfflineModel):
    assert (await offline.complete(request(""))).text
