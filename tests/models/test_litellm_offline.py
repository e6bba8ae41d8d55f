from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.models.litellm_loading import load_litellm
from agentflow_dagster.models.litellm_offline import register_offline
from agentflow_dagster.ports.model import Message, ModelRequest

if TYPE_CHECKING:
    from agentflow_dagster.models import OfflineModel

PROMPT = "Reply to: my screen is black."
CALL: dict[str, Any] = {
    "model": "offline/extractive",
    "messages": [{"role": "user", "content": PROMPT}],
}


@pytest.fixture
def litellm(offline: OfflineModel) -> Any:
    register_offline(offline)
    return load_litellm()


async def test_litellm_gives_the_same_answer(litellm: Any, offline: OfflineModel):
    direct = await offline.complete(ModelRequest((Message("user", PROMPT),)))
    through = await litellm.acompletion(**CALL)
    assert through.choices[0].message.content == direct.text
    assert through.usage.prompt_tokens == direct.usage.tokens_in
    assert through.usage.completion_tokens == direct.usage.tokens_out


def test_the_sync_way_too(litellm: Any):
    assert "my screen is black" in litellm.completion(**CALL).choices[0].message.content


async def test_with_a_schema(litellm: Any):
    schema = {"type": "object", "properties": {"kind": {"enum": ["bug", "praise"]}}}
    asked = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}
    reply = await litellm.acompletion(**CALL, response_format=asked)
    assert set(json.loads(reply.choices[0].message.content)) == {"kind"}


def test_registering_again_replaces(litellm: Any, offline: OfflineModel):
    register_offline(offline)
    providers = [entry["provider"] for entry in litellm.custom_provider_map]
    assert providers.count("offline") == 1
