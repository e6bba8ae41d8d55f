from __future__ import annotations

import pytest

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models.choice import Choice, choose

OPENAI = {"OPENAI_API_KEY": "sk-secret-value"}
ANTHROPIC = {"ANTHROPIC_API_KEY": "sk-ant-secret"}
LOCAL = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}


def pick(asked: str | None, environment: dict[str, str]) -> Choice:
    return choose(asked, environment, provider_of={"ft:known": "openai"}.get)


@pytest.mark.parametrize("asked", [None, "", "gpt-4o-mini", "anthropic/claude-x", "no-such-model"])
def test_without_any_provider_the_offline_model_stands_in(asked: str | None):
    assert pick(asked, {}).name == "offline/extractive"
    assert pick(asked, {"OPENAI_API_KEY": "  "}).is_offline


def test_the_offline_model_can_be_asked_for_by_name():
    assert pick("offline/extractive", OPENAI).is_offline
    with pytest.raises(ModelError, match="no such offline model"):
        pick("offline/other", {})


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        (OPENAI, "openai/gpt-4o-mini"),
        (LOCAL, "openai/gpt-4o-mini"),
        ({"OPENAI_API_BASE": "http://x"}, "openai/gpt-4o-mini"),
        (ANTHROPIC, "anthropic/claude-haiku-4-5"),
        ({"ANTHROPIC_API_BASE": "http://x"}, "anthropic/claude-haiku-4-5"),
        ({"GOOGLE_API_KEY": "k"}, "gemini/gemini-2.5-flash"),
        ({**ANTHROPIC, **OPENAI}, "openai/gpt-4o-mini"),
        ({"GROQ_API_KEY": "k", **ANTHROPIC}, "anthropic/claude-haiku-4-5"),
    ],
)
def test_defaults(environment: dict[str, str], name: str):
    assert pick(None, environment).name == name


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("gpt-4o", "openai/gpt-4o"),
        ("o3-mini", "openai/o3-mini"),
        ("openai/meta-llama/Llama-3-8b", "openai/meta-llama/Llama-3-8b"),
        ("ft:known", "openai/ft:known"),
        ("claude-3-haiku-20240307", "anthropic/claude-3-haiku-20240307"),
        ("gemini-2.0-flash", "gemini/gemini-2.0-flash"),
        ("gemini/gemini-2.0-flash", "gemini/gemini-2.0-flash"),
        ("command-r", "cohere/command-r"),
        ("ollama/llama3.1", "ollama/llama3.1"),
    ],
)
def test_names(asked: str, name: str):
    everything = {
        **OPENAI,
        **ANTHROPIC,
        "GEMINI_API_KEY": "k",
        "CO_API_KEY": "k",
        "OLLAMA_API_BASE": "http://127.0.0.1:11434",
    }
    assert pick(asked, everything).name == name


def test_a_base_url_alone_gets_a_stand_in_key():
    choice = pick("gpt-4o-mini", LOCAL)
    assert (choice.key, choice.base) == ("not-needed", "http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("asked", "environment", "variable"),
    [
        ("claude-haiku-4-5", OPENAI, "ANTHROPIC_API_KEY"),
        ("gpt-4o", ANTHROPIC, "OPENAI_API_KEY"),
        ("groq/llama", OPENAI, "GROQ_API_KEY"),
        ("ollama/llama3.1", OPENAI, "OLLAMA_API_BASE"),
        ("azure/mine", {**OPENAI, "AZURE_API_KEY": "k"}, "AZURE_API_BASE and AZURE_API_KEY"),
    ],
)
def test_a_provider_that_is_not_configured_is_named(
    asked: str, environment: dict[str, str], variable: str
):
    with pytest.raises(ModelError) as raised:
        pick(asked, environment)
    assert variable in raised.value.hint
    assert not raised.value.retryable
    assert "secret" not in str(raised.value)


def test_an_unknown_name_says_how_to_write_it():
    with pytest.raises(ModelError, match="No provider of a model 'llama-3-8b'"):
        pick("llama-3-8b", LOCAL)


def test_a_provider_without_a_default_wants_a_name():
    with pytest.raises(ModelError, match="No model is named"):
        pick(None, {"OLLAMA_HOST": "http://127.0.0.1:11434"})


def test_a_key_is_not_in_the_representation():
    assert "secret" not in repr(pick("gpt-4o", OPENAI))
