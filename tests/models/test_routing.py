"""Which model is asked first, and which are never asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models.catalogue import Catalogue
from agentflow_dagster.models.choice import Chooser
from agentflow_dagster.models.health import Health
from agentflow_dagster.models.routing import Router
from agentflow_dagster.models.settings import ModelSettings
from agentflow_dagster.ports.model import Image, Message, ModelRequest, ToolSpec
from agentflow_dagster.spec.demands import LLMRouting, Needs

if TYPE_CHECKING:
    from collections.abc import Mapping

BIG, SMALL, LOCAL = "openai/gpt-4.1", "anthropic/claude-haiku-4-5", "ollama/llama3:8b"
ENVIRONMENT = {
    "OPENAI_API_KEY": "k",
    "ANTHROPIC_API_KEY": "k",
    "OLLAMA_API_BASE": "http://127.0.0.1:11434",
}
SAMPLE: object = [
    {
        "provider": "openai",
        "model": "gpt-4",
        "conditions": [{"complexity": "high"}, {"accuracy": "critical"}],
    },
    {
        "provider": "anthropic",
        "model": "claude-3-haiku",
        "conditions": [{"complexity": "low"}, {"cost": "priority"}],
    },
    {
        "provider": "local",
        "model": "llama-3-8b",
        "conditions": [{"data_sensitivity": "high"}, {"cost": "minimal"}],
    },
]
"""As the product's first description of routing has it."""


def ranked(
    needs: Mapping[str, str] | None = None,
    *,
    strategy: str = "cost-optimized",
    fallbacks: object = SAMPLE,
    environment: Mapping[str, str] = ENVIRONMENT,
    health: Health | None = None,
    said: object = None,
    **asked: Any,
) -> list[str]:
    settings = ModelSettings.model_validate(said or {})
    chooser = Chooser(environment.get, settings, provider_of=lambda _: None)
    router = Router(chooser, Catalogue(settings), health or Health())
    told: dict[str, Any] = {"messages": (Message("user", "Hello"),), **asked}
    if needs is not None:
        told["needs"] = Needs.model_validate(needs)
    routing = LLMRouting.model_validate({"strategy": strategy, "fallbacks": fallbacks})
    return [c.choice.name for c in router.candidates(ModelRequest(**told), routing)]


@pytest.mark.parametrize(
    ("needs", "first"),
    [
        ({"complexity": "high"}, BIG),
        ({"accuracy": "critical"}, BIG),
        ({"complexity": "low"}, SMALL),
        ({"complexity": "low", "cost": "minimal"}, LOCAL),
        ({"cost": "priority", "complexity": "high"}, BIG),
        ({"cost": "minimal", "accuracy": "critical"}, BIG),
    ],
)
def test_what_is_needed_decides_and_then_the_price(needs: dict[str, str], first: str) -> None:
    assert ranked(needs)[0] == first
    assert set(ranked(needs)) == {BIG, SMALL, LOCAL}


@pytest.mark.parametrize("strategy", ["cost-optimized", "latency", "quality", "fixed"])
def test_sensitive_data_goes_to_local_models_alone(strategy: str) -> None:
    needs = {"dataSensitivity": "high", "accuracy": "critical"}
    assert ranked(needs, strategy=strategy) == [LOCAL]
    assert ranked(needs, strategy=strategy, model=BIG) == [LOCAL]


@pytest.mark.parametrize("base", ["https://ollama.example.com", "http://8.8.8.8:11434", ""])
def test_without_a_local_model_it_goes_nowhere(base: str) -> None:
    environment = {**ENVIRONMENT, "OLLAMA_API_BASE": base}
    with pytest.raises(ModelError, match="sensitive") as raised:
        ranked({"dataSensitivity": "high"}, environment=environment)
    assert not raised.value.retryable


def test_a_model_that_ollama_has_run_elsewhere_is_not_local() -> None:
    cloud = [{"provider": "ollama", "model": "gpt-oss:120b-cloud"}]
    with pytest.raises(ModelError, match="not local"):
        ranked({"dataSensitivity": "high"}, fallbacks=cloud)


def test_fixed_is_the_order_of_the_document() -> None:
    assert ranked({"complexity": "low"}, strategy="fixed") == [BIG, SMALL, LOCAL]


def test_quality_takes_the_best() -> None:
    assert ranked({"complexity": "low"}, strategy="quality")[0] == SMALL
    plain = [
        {"provider": "anthropic", "model": "claude-haiku-4-5"},
        {"provider": "openai", "model": "gpt-4.1"},
    ]
    assert ranked({"complexity": "low"}, strategy="quality", fallbacks=plain)[0] == BIG


def named(*models: str) -> list[dict[str, str]]:
    return [dict(zip(("provider", "model"), model.split("/"), strict=True)) for model in models]


def test_the_cheapest_that_is_good_enough_goes_first() -> None:
    three = named("openai/gpt-4.1", "openai/gpt-4.1-mini", "openai/gpt-4o-mini")
    firsts = [
        ranked({"complexity": word}, fallbacks=three)[0] for word in ("low", "medium", "high")
    ]
    assert firsts == ["openai/gpt-4o-mini", "openai/gpt-4.1-mini", "openai/gpt-4.1"]


def test_where_none_is_good_enough_the_nearest_goes_first() -> None:
    two = named("openai/gpt-4o-mini", "openai/gpt-4o")
    assert ranked({"complexity": "high"}, fallbacks=two)[0] == "openai/gpt-4o"
    assert ranked({"accuracy": "critical"}, fallbacks=two)[0] == "openai/gpt-4o"


def test_prices_are_compared_as_they_are_usually_asked() -> None:
    """gpt-5.5 asks twice as much of inputs beyond 272,000 tokens, and is cheaper below them."""
    two = named("openai/gpt-5.5", "test/dear")
    said = {"models": {"test/dear": {"inputPerMillion": 8, "outputPerMillion": 40}}}
    assert ranked({"complexity": "low"}, fallbacks=two, said=said)[0] == "openai/gpt-5.5"
    long = (Message("user", "x" * 4 * 300_000),)
    assert ranked({"complexity": "low"}, fallbacks=two, said=said, messages=long)[0] == "test/dear"


def test_a_short_answer_makes_the_price_of_input_count() -> None:
    two = named("openai/a", "openai/b")
    said = {
        "models": {
            "openai/a": {"inputPerMillion": 1, "outputPerMillion": 8},
            "openai/b": {"inputPerMillion": 2, "outputPerMillion": 4},
        }
    }
    asked: dict[str, Any] = {"messages": (Message("user", "x" * 4_000),), "said": said}
    assert ranked({"complexity": "low"}, fallbacks=two, **asked)[0] == "openai/b"
    asked["output_schema"] = {"enum": ["yes", "no"]}
    assert ranked({"complexity": "low"}, fallbacks=two, **asked)[0] == "openai/a"


def test_latency_takes_the_quickest() -> None:
    health = Health()
    plain = [
        {"provider": "anthropic", "model": "claude-haiku-4-5"},
        {"provider": "openai", "model": "gpt-4.1"},
    ]
    health.answered(BIG, 100.0)
    health.answered(SMALL, 900.0)
    assert (
        ranked({"complexity": "low"}, strategy="latency", fallbacks=plain, health=health)[0] == BIG
    )


def test_one_that_keeps_failing_is_asked_last() -> None:
    health = Health()
    health.failed(SMALL, retry_after=20)
    assert ranked({"complexity": "low"}, health=health)[-1] == SMALL
    health.answered(SMALL, 1.0)
    assert ranked({"complexity": "low"}, health=health)[0] == SMALL


def test_the_model_that_is_named_goes_first_and_once() -> None:
    assert ranked({"complexity": "high"}, model="claude-3-haiku") == [SMALL, BIG, LOCAL]


def test_who_cannot_is_not_asked() -> None:
    tool = ToolSpec("t", "A tool.", {"type": "object"})
    seen = (Message("user", "What is it?", images=(Image("image/png", b"x"),)),)
    assert LOCAL not in ranked(tools=(tool,))
    assert LOCAL not in ranked(messages=seen)


def test_who_is_not_configured_is_not_asked() -> None:
    assert ranked(environment={"ANTHROPIC_API_KEY": "k"}) == [SMALL]
    assert ranked(environment={}) == ["offline/extractive"]
