"""`models.yaml`: every field, and what is said of one that is wrong."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.errors import UsageError
from agentflow_dagster.models.settings import (
    ModelFacts,
    ModelSettings,
    ProviderSettings,
    read_settings,
)

if TYPE_CHECKING:
    from pathlib import Path

FULL = """\
aliases: {house: acme/big}
models:
  acme/big:
    contextWindow: 128000
    maxOutput: 8192
    inputPerMillion: 0.1
    outputPerMillion: 2
    cachedInputPerMillion: 0
    tools: true
    jsonSchema: false
    vision: true
    quality: 3
    requestsPerMinute: 300
    tokensPerMinute: 90000
providers:
  acme:
    baseUrl: https://models.acme.example/v1
    keyVariable: ACME_API_KEY
    defaultModel: big
    local: true
    stream: true
    requestsPerMinute: 600
    tokensPerMinute: 200000
routing: {strategy: latency, fallbacks: [{provider: acme, model: big}]}
allowedProviders: [acme]
redact: [email, {name: staff, pattern: "S-[0-9]+"}]
answerSeconds: 200
firstTokenSeconds: 20.5
silenceSeconds: 3600
"""


def read(folder: Path, text: str | bytes) -> ModelSettings:
    (folder / "models.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_settings(folder)


def told(folder: Path, text: str | bytes) -> str:
    with pytest.raises(UsageError) as raised:
        read(folder, text)
    return str(raised.value)


def test_every_field_is_read(tmp_path: Path) -> None:
    said = read(tmp_path, FULL)
    assert said.model_fields_set == set(ModelSettings.model_fields)
    facts, acme = said.models["acme/big"], said.providers["acme"]
    assert facts.model_fields_set == set(ModelFacts.model_fields)
    assert acme.model_fields_set == set(ProviderSettings.model_fields)
    assert facts == ModelFacts(
        context_window=128_000,
        max_output=8_192,
        input_per_million=Decimal("0.1"),  # As it is written, not the float nearest to it.
        output_per_million=Decimal(2),
        cached_input_per_million=Decimal(0),
        tools=True,
        json_schema=False,
        vision=True,
        quality=3,
        requests_per_minute=300,
        tokens_per_minute=90_000,
    )
    assert acme == ProviderSettings(
        base_url="https://models.acme.example/v1",
        key_variable="ACME_API_KEY",
        local=True,
        default_model="big",
        stream=True,
        requests_per_minute=600,
        tokens_per_minute=200_000,
    )
    assert (said.aliases, said.allowed_providers) == ({"house": "acme/big"}, ("acme",))
    assert said.routing
    assert (said.routing.strategy, said.routing.fallbacks[0].litellm_model) == (
        "latency",
        "acme/big",
    )
    assert [(rule.name, rule.pattern) for rule in said.redact] == [
        ("email", ""),
        ("staff", "S-[0-9]+"),
    ]
    waits = (said.answer_seconds, said.first_token_seconds, said.silence_seconds)
    assert waits == (200, 20.5, 3_600)


@pytest.mark.parametrize("text", ["", "\n", "# Nothing yet.\n", "{}"])
def test_a_file_that_says_nothing(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == ModelSettings() == read_settings(tmp_path / "none")


def test_what_is_left_out() -> None:
    none = ModelSettings()
    assert (none.answer_seconds, none.first_token_seconds, none.silence_seconds) == (300, 60, 30)
    assert (none.routing, none.allowed_providers) == (None, None)
    assert ProviderSettings().local is None
    assert not ProviderSettings().stream


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("answer_seconds: 3\n", "1:1: .*'answer_seconds'.*'answerSeconds'"),
        ("models:\n  acme/big:\n    price: 3\n", "3:5: .*Unknown field 'price'"),
        ("models:\n  acme/big:\n    inputPerMillion: -1\n", "3:5: .*inputPerMillion.* -1"),
        ("models:\n  a/b:\n    outputPerMillion: 1000001\n", "3:5: .*outputPerMillion"),
        ("models:\n  a/b: {quality: 4}\n", "2:9: .*quality: input should be 1, 2 or 3, not 4"),
        ("models:\n  a/b: {maxOutput: 0}\n", "2:9: .*maxOutput.*not 0"),
        ("models:\n  a/b: {contextWindow: 0}\n", "2:9: .*contextWindow.*not 0"),
        ("models:\n  a/b: {maxOutput: 1.5}\n", "2:9: .*maxOutput.*integer"),
        ("models:\n  a/b: {tools: 'yes'}\n", "2:9: .*tools.*boolean"),
        ("models:\n  a/b: {requestsPerMinute: 0}\n", "2:9: .*requestsPerMinute"),
        ("models:\n  a/b: {tokensPerMinute: 0}\n", "2:9: .*tokensPerMinute"),
        ("models:\n  '': {}\n", "2:3: "),
        ("providers:\n  Acme: {}\n", "2:3: .*'Acme' is not a valid name"),
        ("providers:\n  acme: {baseurl: x}\n", "2:10: .*'baseurl'.*'baseUrl'"),
        ("providers:\n  acme: {requestsPerMinute: 0}\n", "2:10: .*requestsPerMinute"),
        ("providers:\n  acme: {tokensPerMinute: 0}\n", "2:10: .*tokensPerMinute"),
        ("providers:\n  acme: {local: maybe}\n", "2:10: .*local.*boolean"),
        ("providers:\n  acme: {stream: 1}\n", "2:10: .*stream.*boolean"),
        ("providers:\n  acme: {defaultModel: ''}\n", "2:10: .*defaultModel"),
        ("routing: {strategy: best}\n", "1:11: .*strategy.*cost-optimized"),
        ("routing: {fallbacks: [{provider: acme}]}\n", "1:2.*'model' is missing"),
        ("allowedProviders: acme\n", "1:1: .*allowedProviders"),
        ("answerSeconds: 0\n", "1:1: .*answerSeconds"),
        ("firstTokenSeconds: -1\n", "1:1: .*firstTokenSeconds"),
        ("silenceSeconds: 3600.1\n", "1:1: .*silenceSeconds"),
        ("aliases: {a: b}\naliases: {c: d}\n", "2:1: .*twice"),
        ("aliases: [\n", "2:1: .*Not YAML"),
        ("- acme\n", ".*no mapping.*providers:"),
        ("~\n", ".*no mapping"),
        (b"aliases: {a: \xff}\n", "not UTF-8"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str | bytes, message: str) -> None:
    problem = told(tmp_path, text)
    assert re.match(rf"models\.yaml(?::| is |: ){message}", problem), problem
    assert "apiVersion" not in problem
    assert "\n" not in problem


@pytest.mark.parametrize(
    "url",
    ["ftp://x/v1", "acme.example/v1", "https:///v1", "https://me:secret@x/v1", "", "file:///x"],
)
def test_an_address_is_one_of_http_without_a_user(tmp_path: Path, url: str) -> None:
    problem = told(tmp_path, f"providers:\n  acme:\n    baseUrl: '{url}'\n")
    assert "models.yaml:3:5" in problem
    assert "write https://host/v1, without a user" in problem
    assert "secret" not in problem


@pytest.mark.parametrize("key", ["sk-secret-key", "secret", "A" * 201, "", "A-B", "1A", "A\\n"])
def test_a_key_that_stands_where_its_variable_should_is_not_repeated(
    tmp_path: Path, key: str
) -> None:
    problem = told(tmp_path, f'providers:\n  acme:\n    keyVariable: "{key}"\n')
    assert "models.yaml:3:5" in problem
    assert "the name of an environment variable" in problem
    assert not key or key not in problem.replace("ACME_API_KEY", "")


@pytest.mark.parametrize("variable", ["A", "_KEY", "A" * 200, "K2_"])
def test_names_of_variables(tmp_path: Path, variable: str) -> None:
    said = read(tmp_path, f"providers: {{acme: {{keyVariable: {variable}}}}}")
    assert said.providers["acme"].key_variable == variable


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    line = "# " + "x" * 97 + "\n"
    assert read(tmp_path, line * 10_000) == ModelSettings()
    assert told(tmp_path, line * 10_001) == "models.yaml is larger than 1,000,000 bytes."


def test_nothing_of_it_changes_afterwards() -> None:
    settings: Any = ModelSettings()
    with pytest.raises(ValueError, match="frozen"):
        settings.answer_seconds = 1
