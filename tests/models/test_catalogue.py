"""What is known of models."""

from __future__ import annotations

from decimal import Decimal

import pytest

from agentflow_dagster.models.catalogue import Catalogue
from agentflow_dagster.models.choice import Choice
from agentflow_dagster.models.settings import ModelSettings


@pytest.mark.parametrize("provider", ["huggingface", "openai", "perplexity"])
def test_an_unlisted_model_has_no_price(provider: str):
    entry = Catalogue(ModelSettings()).entry(Choice(provider, "no-such", "openai", provider))
    assert (entry.price_in, entry.price_out, entry.is_priced) == (None, None, False)


def test_a_local_model_is_free_unless_the_project_says_otherwise():
    choice = Choice("ollama", "no-such", "ollama_chat", "ollama", is_local=True)
    assert Catalogue(ModelSettings()).entry(choice).price_in == 0
    said = {"models": {"ollama/no-such": {"inputPerMillion": 2, "outputPerMillion": 4}}}
    entry = Catalogue(ModelSettings.model_validate(said)).entry(choice)
    assert (entry.price_in, entry.price_out) == (Decimal("0.000002"), Decimal("0.000004"))


def test_what_is_usually_asked_is_known_beside_the_highest():
    catalogue = Catalogue(ModelSettings())
    claude = catalogue.entry(Choice("anthropic", "claude-opus-4-8", "anthropic", "anthropic"))
    assert claude.price_in == Decimal("0.00001")  # Were it kept for an hour.
    assert claude.usd(1_000, 10) == Decimal("0.00525")
    gemini = catalogue.entry(Choice("gemini", "gemini-2.5-pro", "gemini", "gemini"))
    assert gemini.usd(200_000, 10) == Decimal("0.2501")
    assert gemini.usd(300_000, 10) == Decimal("0.75015")


def test_the_price_of_the_project_is_the_usual_one():
    said = {"models": {"openai/gpt-4.1": {"inputPerMillion": 1, "outputPerMillion": 3}}}
    entry = Catalogue(ModelSettings.model_validate(said)).entry(
        Choice("openai", "gpt-4.1", "openai", "openai")
    )
    assert entry.usd(1_000, 100) == Decimal("0.0013")


def test_the_project_says_how_good_a_model_is():
    choice = Choice("openai", "gpt-4.1-mini", "openai", "openai")
    assert Catalogue(ModelSettings()).entry(choice).quality == 2
    said = {"models": {"openai/gpt-4.1-mini": {"quality": 1}}}
    assert Catalogue(ModelSettings.model_validate(said)).entry(choice).quality == 1


def test_what_costs_nothing_is_expected_to_cost_nothing():
    catalogue = Catalogue(ModelSettings())
    offline = Choice("offline", "extractive", "offline", is_local=True)
    local = Choice("ollama", "no-such", "ollama_chat", "ollama", is_local=True)
    assert catalogue.entry(offline).usd(1_000, 100) == 0
    assert catalogue.entry(local).usd(1_000, 100) == 0
