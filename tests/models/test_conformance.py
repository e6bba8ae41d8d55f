"""What every `Model` does, whoever answers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.models import ModelPlane
from agentflow_dagster.models.structured import schema_mismatch
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.testing import ScriptedModel
from tests.support.openai_server import OpenAIServer, Scripted

if TYPE_CHECKING:
    from collections.abc import Generator

    from agentflow_dagster.models import OfflineModel
    from agentflow_dagster.ports.model import Model, ModelReply
    from agentflow_dagster.spec.values import JsonSchema

pytestmark = pytest.mark.usefixtures("_closed_connections")

LABEL: JsonSchema = {"anyOf": [{"const": "bug"}, {"const": "praise"}]}
TICKET = (Message("system", "Sort the ticket."), Message("user", "The app crashes at start."))


@pytest.fixture(params=["offline", "configured offline", "scripted", "OpenAI protocol"])
def model(request: pytest.FixtureRequest, offline: OfflineModel) -> Generator[Model]:
    if request.param == "offline":
        yield offline
    elif request.param == "configured offline":
        yield ModelPlane({})
    elif request.param == "scripted":
        yield ScriptedModel(lambda request: {"value": "bug"} if request.output_schema else "Broke.")
    else:
        with OpenAIServer(
            lambda body: Scripted('{"value": "bug"}' if "response_format" in body else "It broke.")
        ) as server:
            yield ModelPlane({"OPENAI_BASE_URL": server.url})


def _usage_is_whole(reply: ModelReply) -> None:
    usage = reply.usage
    assert usage.tokens_in > 0
    assert usage.tokens_out > 0
    assert usage.latency_ms > 0
    assert isinstance(usage.cost_usd, Decimal)
    assert usage.cost_usd >= 0
    assert usage.model
    assert usage.provider


async def test_text(model: Model):
    reply = await model.complete(ModelRequest(TICKET))
    assert reply.text.strip()
    assert reply.output is None
    _usage_is_whole(reply)


async def test_checked_output(model: Model):
    reply = await model.complete(ModelRequest(TICKET, output_schema=LABEL))
    assert reply.output == "bug"
    assert schema_mismatch(reply.output, LABEL) == ""
    _usage_is_whole(reply)


async def test_options_are_taken(model: Model):
    asked = ModelRequest(TICKET, temperature=0.0, max_tokens=40, timeout=30.0)
    assert (await model.complete(asked)).usage.tokens_out <= 40
