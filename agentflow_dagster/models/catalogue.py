"""What is known of each model: window, prices, abilities, how good it is.

LiteLLM's own list (its prices are those of the release that is installed), with what the project's
`models.yaml` says over it. A price that nobody says is unknown, and never 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from agentflow_dagster.models.litellm_loading import load_litellm
from agentflow_dagster.models.quality import quality_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.models.choice import Choice
    from agentflow_dagster.models.settings import ModelFacts, ModelSettings

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Entry:
    """One model.

    Args:
        context_window, max_output: Tokens; None where nobody says.
        price_in, price_out: USD per token, the highest that may be asked (long inputs, writing to
            the provider's cache). None where unknown.
        price_cached: USD per token of input that the provider had read before; None where unknown.
        usual: What is asked of a call that keeps nothing: (more input tokens than, price in, price
            out), the shortest input first. Empty where it is not known.
        tools, json_schema, vision, prompt_cache: What it can do.
        quality: 1 to 3.
        listed: All of it in the words of LiteLLM's list, by which calls are priced.
    """

    context_window: int | None = None
    max_output: int | None = None
    price_in: Decimal | None = None
    price_out: Decimal | None = None
    price_cached: Decimal | None = None
    usual: tuple[tuple[int, Decimal, Decimal], ...] = ()
    tools: bool = False
    json_schema: bool = False
    vision: bool = False
    prompt_cache: bool = False
    quality: int = 2
    listed: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @property
    def is_priced(self) -> bool:
        """Whether a call's price can be bounded."""
        return self.price_in is not None and self.price_out is not None

    def usd(self, tokens_in: int, tokens_out: int) -> Decimal | None:
        """What a call of that size usually costs; None where prices are not known."""
        asked = [
            (price_in, price_out) for above, price_in, price_out in self.usual if tokens_in > above
        ]
        price_in, price_out = asked[-1] if asked else (self.price_in, self.price_out)
        if price_in is None or price_out is None:
            return None
        return price_in * tokens_in + price_out * tokens_out


class Catalogue:
    """Looks models up; each once.

    Args:
        settings: The project's.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self._facts = settings.models
        self._entries: dict[str, Entry] = {}

    def entry(self, choice: Choice) -> Entry:
        """What is known of the model that a choice means. Imports LiteLLM where it is needed."""
        found = self._entries.get(choice.name)
        if found is None:
            found = self._entries[choice.name] = self._look_up(choice)
        return found

    def _look_up(self, choice: Choice) -> Entry:
        if choice.is_offline:
            free = Decimal(0)
            return Entry(
                None, None, free, free, free, ((-1, free, free),), json_schema=True, quality=1
            )
        listed = _listed(choice)
        if choice.is_local:  # On machines of one's own: nobody bills for it.
            listed = {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0, **listed}
        said = self._facts.get(choice.name)
        if said is not None:
            listed = {**listed, **_overriding(said)}
        quality = said.quality if said and said.quality else quality_of(choice.model)
        return _entry(listed, quality)


def _overriding(said: ModelFacts) -> dict[str, Any]:
    """What a project says of a model, in the words of LiteLLM's list."""
    told: dict[str, Any] = {
        "max_input_tokens": said.context_window,
        "max_output_tokens": said.max_output,
        "supports_function_calling": said.tools,
        "supports_response_schema": said.json_schema,
        "supports_vision": said.vision,
    }
    prices = {
        "input_cost_per_token": said.input_per_million,
        "output_cost_per_token": said.output_per_million,
        "cache_read_input_token_cost": said.cached_input_per_million,
    }
    told |= {name: None if it is None else float(it / MILLION) for name, it in prices.items()}
    return {name: it for name, it in told.items() if it is not None}


_ASKED_ABOUT = {"ollama": "ollama", "ollama_chat": "ollama", "huggingface": "huggingface"}
"""Providers that LiteLLM would ask about a model, and call it free; their models' prefix in the
list."""


def _listed(choice: Choice) -> dict[str, Any]:
    """What LiteLLM's list has of a model. One of a server that only speaks a provider's protocol is
    none of that provider's, whatever its name."""
    litellm: Any = load_litellm()
    if not choice.listed_as:
        return {}
    if choice.listed_as in _ASKED_ABOUT:
        return dict(litellm.model_cost.get(f"{_ASKED_ABOUT[choice.listed_as]}/{choice.model}", {}))
    try:
        known = litellm.get_model_info(choice.model, choice.listed_as)
    except litellm.exceptions.ModelNotMappedError:
        return {}
    return {name: it for name, it in known.items() if it is not None}


def _entry(listed: Mapping[str, Any], quality: int) -> Entry:
    unknown = "max_input_tokens" not in listed  # Of a model that nobody lists it is to be seen.
    return Entry(
        context_window=listed.get("max_input_tokens"),
        max_output=listed.get("max_output_tokens") or listed.get("max_tokens"),
        price_in=_highest(listed, "input_cost_per_token", "cache_creation_input_token_cost"),
        price_out=_highest(listed, "output_cost_per_token", "output_cost_per_reasoning_token"),
        price_cached=_price(listed.get("cache_read_input_token_cost")),
        usual=_usual(listed),
        tools=bool(listed.get("supports_function_calling", unknown)),
        json_schema=bool(listed.get("supports_response_schema")),
        vision=bool(listed.get("supports_vision", unknown)),
        prompt_cache=bool(listed.get("supports_prompt_caching")),
        quality=quality,
        listed=listed,
    )


_SERVED_OTHERWISE = ("batches", "priority", "flex")


def _highest(listed: Mapping[str, Any], plain: str, *beside: str) -> Decimal | None:
    """The highest of a price and those that may take its place: of long inputs, of what is kept."""
    if listed.get(plain) is None:
        return None
    names = [
        name
        for name in listed
        if name.startswith((plain, *beside)) and not name.endswith(_SERVED_OTHERWISE)
    ]
    prices = [_price(listed[name]) for name in names]
    return max(price for price in prices if price is not None)


_USUAL = re.compile(r"input_cost_per_token(?:_above_(\d+)k_tokens)?")


def _usual(listed: Mapping[str, Any]) -> tuple[tuple[int, Decimal, Decimal], ...]:
    """The prices of a call that keeps nothing and is served as usual, by the size of its input."""
    found: list[tuple[int, Decimal, Decimal]] = []
    for name in listed:
        if size := _USUAL.fullmatch(name):
            told_out = listed.get(f"output{name.removeprefix('input')}")
            price_in = _price(listed[name])
            price_out = _price(
                listed.get("output_cost_per_token") if told_out is None else told_out
            )
            if price_in is not None and price_out is not None:
                found.append((int(size[1]) * 1_000 if size[1] else -1, price_in, price_out))
    return tuple(sorted(found))


def _price(told: object) -> Decimal | None:
    return Decimal(str(told)) if isinstance(told, int | float) else None
