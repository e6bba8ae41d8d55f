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
