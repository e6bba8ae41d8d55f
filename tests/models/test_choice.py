from __future__ import annotations

import pytest

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models.choice import Choice, Chooser
from agentflow_dagster.models.settings import ModelSettings

OPENAI = {"OPENAI_API_KEY": "sk-secret-value"}
ANTHROPIC = {"ANTHROPIC_API_KEY": "sk-ant-secret"}
LOCAL = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}


def pick(asked: str | None, environment: dict[str, str]) -> Choice:
    return Chooser(environment.get, provider_of={"ft:known": "openai"}.get).choose(asked)


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
        ("gpt-4", "openai/gpt-4.1"),
        ("openai/gpt-4", "openai/gpt-4.1"),
        ("claude-3-sonnet", "anthropic/claude-sonnet-4-6"),
        ("anthropic/claude-3-haiku", "anthropic/claude-haiku-4-5"),
        ("llama-3-8b", "ollama/llama3:8b"),
        ("ollama/llama-3-8b", "ollama/llama3:8b"),
        ("openai/meta-llama/Llama-3-8b", "openai/meta-llama/Llama-3-8b"),
        ("ft:known", "openai/ft:known"),
        ("claude-3-haiku-20240307", "anthropic/claude-3-haiku-20240307"),
        ("gemini-2.0-flash", "gemini/gemini-2.5-flash"),
        ("gemini/gemini-2.0-flash", "gemini/gemini-2.5-flash"),
        ("gemini-3.8-flash", "gemini/gemini-3.8-flash"),
        ("command-r", "cohere/command-r-08-2024"),
        ("command-a-03-2025", "cohere/command-a-03-2025"),
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
    with pytest.raises(ModelError, match="No provider of a model 'my-own-8b'"):
        pick("my-own-8b", LOCAL)


def test_a_provider_without_a_default_wants_a_name():
    with pytest.raises(ModelError, match="No model is named"):
        pick(None, {"OLLAMA_HOST": "http://127.0.0.1:11434"})


def test_a_key_is_not_in_the_representation():
    assert "secret" not in repr(pick("gpt-4o", OPENAI))


@pytest.mark.parametrize(
    "asked",
    [
        "openai/../x",
        "openai/a/../b",
        "openai/..",
        "ollama/..",
        "https://evil.example/x",
        "huggingface/https://evil.example/x",
        "huggingface/https:/evil.example/x",
        "//evil.example/x",
        "openai//x",
        "openai/",
        "/x",
        "openai\\x",
        "openai/gpt 4o",
        "openai/gpt-4o\n",
        "openai/gpt-4o\r\nX-Header: 1",
        "openai/gpt-4o\0",
        "openai/gpt-4\u043e",
        "openai/gpt\u200b4o",
        "openai/gpt-4o#",
        "openai/gpt-4o%2f..",
        "azure/mine?x=",
        "azure/mine;x",
        "gemini/{x}",
        "openai/" + "x" * 249,
        "test/../x",
        "offline/extractive\n",
    ],
)
def test_what_is_no_name_is_refused(asked: str):
    for environment in ({}, OPENAI):
        with pytest.raises(ModelError, match=r"is no name of a model|no such offline") as raised:
            pick(asked, environment)
        assert not raised.value.retryable
        assert len(raised.value.message) < 150


@pytest.mark.parametrize("provider", ["aiml", "perplexity", "custom_openai", "litellm_proxy"])
def test_a_provider_that_nobody_has_named_gets_no_key(provider: str):
    known = {f"{provider}/x": provider}
    chooser = Chooser(OPENAI.get, provider_of=known.get)
    with pytest.raises(ModelError, match=f"whose key {provider}") as raised:
        chooser.choose(f"{provider}/x")
    assert "models.yaml" in raised.value.hint


def test_a_provider_of_litellm_by_the_variable_of_its_key():
    settings = ModelSettings.model_validate(
        {"providers": {"perplexity": {"keyVariable": "PPLX", "defaultModel": "sonar"}}}
    )
    both = {**OPENAI, "PPLX": "pplx-key"}
    choice = Chooser(both.get, settings, provider_of={}.get).choose("perplexity/sonar-pro")
    assert (choice.name, choice.protocol, choice.key) == (
        "perplexity/sonar-pro",
        "perplexity",
        "pplx-key",
    )
    assert Chooser(both.get, settings, provider_of={}.get).choose(None).name == "perplexity/sonar"
    with pytest.raises(ModelError, match="perplexity is not configured") as raised:
        Chooser(OPENAI.get, settings, provider_of={}.get).choose("perplexity/sonar")
    assert "PPLX" in raised.value.hint


def test_what_the_project_says_of_a_provider_that_is_known():
    settings = ModelSettings.model_validate(
        {"providers": {"openai": {"keyVariable": "TEAM_KEY", "defaultModel": "gpt-4.1"}}}
    )
    found = Chooser({"TEAM_KEY": "sk-team"}.get, settings, provider_of={}.get).choose(None)
    assert (found.name, found.key, found.base) == ("openai/gpt-4.1", "sk-team", None)
    assert Chooser(OPENAI.get, settings, provider_of={}.get).choose(None).is_offline


def test_a_server_gets_the_key_that_was_meant_for_it_alone():
    settings = ModelSettings.model_validate(
        {"providers": {"acme": {"baseUrl": "https://acme.example/v1"}}}
    )
    choice = Chooser(OPENAI.get, settings, provider_of={}.get).choose("acme/gpt-4o")
    assert (choice.key, choice.base, choice.protocol) == (
        "not-needed",
        "https://acme.example/v1",
        "openai",
    )
