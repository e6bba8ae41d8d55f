"""Where keys go: to the provider that they are of, whatever a document names."""

from __future__ import annotations

import os
import threading
import traceback
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models import ModelPlane, ModelSettings
from agentflow_dagster.models.guard import VARIABLE
from agentflow_dagster.models.keys import FRESH_SECONDS, Keys
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.testing import Answer, faults
from agentflow_dagster.testing.model_server import KEY

if TYPE_CHECKING:
    from agentflow_dagster.testing import ModelServer

pytestmark = pytest.mark.usefixtures("_closed_connections")

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


class Vault:
    """Secrets that a project keeps elsewhere; remembers what it was asked, and in which thread."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.asked: list[str] = []
        self.threads: set[int] = set()
        self.fault: Exception | None = None

    def lookup(self, name: str) -> str | None:
        self.asked.append(name)
        self.threads.add(threading.get_ident())
        if self.fault is not None:
            raise self.fault
        return self.values.get(name)


async def test_keys_come_from_the_projects_secrets_before_its_environment(
    model_server: ModelServer,
):
    vault = Vault(OPENAI_API_KEY="sk-of-the-vault")
    environment = model_server.environment("openai") | {"OPENAI_API_KEY": "sk-lying-about"}
    plane = ModelPlane(environment, secrets=vault)
    await plane.complete(ModelRequest(ASKED))
    assert model_server.received[0].headers["authorization"] == "Bearer sk-of-the-vault"


async def test_what_the_secrets_do_not_have_the_environment_gives(model_server: ModelServer):
    plane = ModelPlane(model_server.environment("openai"), secrets=Vault())
    await plane.complete(ModelRequest(ASKED))
    assert model_server.received[0].headers["authorization"] == f"Bearer {KEY}"


async def test_secrets_do_not_say_where_a_key_goes(model_server: ModelServer):
    vault = Vault(OPENAI_API_KEY="sk-of-the-vault", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    environment = {"OPENAI_BASE_URL": model_server.base("openai")}
    await ModelPlane(environment, secrets=vault).complete(ModelRequest(ASKED))
    assert len(model_server.received) == 1
    assert not any("BASE" in name for name in vault.asked)


async def test_secrets_are_asked_once_and_beside_the_loop(model_server: ModelServer):
    vault = Vault(ACME_KEY="key-of-acme")
    settings = ModelSettings.model_validate(
        {"providers": {"acme": {"baseUrl": model_server.base("acme"), "keyVariable": "ACME_KEY"}}}
    )
    plane = ModelPlane({}, settings=settings, secrets=vault)
    for _ in range(3):
        await plane.complete(ModelRequest(ASKED, model="acme/one"))
    assert [call.headers["authorization"] for call in model_server.received] == [
        "Bearer key-of-acme"
    ] * 3
    assert len(vault.asked) == len(set(vault.asked))
    assert threading.get_ident() not in vault.threads


async def test_a_key_that_was_changed_is_asked_for_where_the_old_one_is_refused(
    model_server: ModelServer,
):
    vault = Vault(OPENAI_API_KEY="sk-of-yesterday")
    model_server.answer_with([faults.unauthorized(), Answer("In Paris.")])
    environment = {"OPENAI_BASE_URL": model_server.base("openai")}
    plane = ModelPlane(environment, secrets=vault)
    with pytest.raises(ModelError, match="does not accept the key"):
        await plane.complete(ModelRequest(ASKED))
    vault.values["OPENAI_API_KEY"] = "sk-of-today"
    await plane.complete(ModelRequest(ASKED))
    assert model_server.received[1].headers["authorization"] == "Bearer sk-of-today"


def test_what_secrets_said_counts_for_a_minute():
    now, vault = [100.0], Vault(OPENAI_API_KEY="sk-one")
    keys = Keys({}, vault, clock=lambda: now[0])
    assert (keys("OPENAI_API_KEY"), keys.at_hand) == ("sk-one", True)
    vault.values["OPENAI_API_KEY"] = "sk-two"
    now[0] += FRESH_SECONDS - 1
    assert keys("OPENAI_API_KEY") == "sk-one"
    now[0] += 2
    assert not keys.at_hand
    assert keys("OPENAI_API_KEY") == "sk-two"


async def test_secrets_that_cannot_be_asked_are_told_without_their_words(
    model_server: ModelServer,
):
    """The environment's key, or the offline model, would be another than was meant."""
    vault = Vault(OPENAI_API_KEY="sk-of-the-vault")
    vault.fault = ConnectionError("token s.VaultTokenZx9 was refused")
    plane = ModelPlane(model_server.environment("openai"), secrets=vault)
    with pytest.raises(ModelError, match=r"could not be asked for .*ConnectionError") as raised:
        await plane.complete(ModelRequest(ASKED))
    assert "VaultToken" not in "".join(traceback.format_exception(raised.value))
    assert raised.value.retryable
    assert model_server.received == ()
    vault.fault = None
    await plane.complete(ModelRequest(ASKED))
    assert model_server.received[0].headers["authorization"] == "Bearer sk-of-the-vault"
