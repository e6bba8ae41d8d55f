"""Where keys go: to the provider that they are of, whatever a document names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models import ModelPlane, ModelSettings
from agentflow_dagster.models.guard import VARIABLE
from agentflow_dagster.ports.model import Message, ModelRequest

if TYPE_CHECKING:
    from agentflow_dagster.testing import ModelServer

ASKED = (Message("user", "Where is the Eiffel Tower?"),)


@pytest.fixture
def environment(model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """OpenAI is configured; of another provider LiteLLM knows the address alone."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("AIML_API_BASE", model_server.base("aiml"))
    monkeypatch.setenv(VARIABLE, "1")  # It cannot be seen that the address is of this machine.
    return {**os.environ, "AIML_API_KEY": "key-of-aiml"}


async def test_the_key_of_openai_goes_to_no_other_provider(
    environment: dict[str, str], model_server: ModelServer
):
    with pytest.raises(ModelError, match="whose key aiml"):
        await ModelPlane(environment).complete(ModelRequest(ASKED, model="aiml/gpt-4o"))
    assert model_server.received == ()


async def test_the_project_says_which_key_a_provider_gets(
    environment: dict[str, str], model_server: ModelServer
):
    settings = ModelSettings.model_validate(
        {"providers": {"aiml": {"keyVariable": "AIML_API_KEY"}}}
    )
    plane = ModelPlane(environment, settings=settings)
    reply = await plane.complete(ModelRequest(ASKED, model="aiml/gpt-4o"))
    assert reply.usage.provider == "aiml"
    (call,) = model_server.received
    assert call.headers["authorization"] == "Bearer key-of-aiml"


async def test_what_cannot_be_called_here_says_so(model_server: ModelServer):
    plane = ModelPlane(model_server.environment("openai"))
    with pytest.raises(ModelError, match="LiteLLM cannot call openai/responses/gpt-4o") as raised:
        await plane.complete(ModelRequest(ASKED, model="openai/responses/gpt-4o"))
    assert not raised.value.retryable
