"""Says which model answers a request, from what it asks for and what the environment configures.

- No provider is configured: `offline/extractive`, whatever is asked for. Usage says so.
- Some provider is configured: the model asked for, if its provider is among them; the first one's
  default model where none is asked for; a refusal that names the variable to set otherwise.
- A name that begins with `offline/` is always the offline model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models.offline import MODEL as OFFLINE_MODEL
from agentflow_dagster.models.offline import PROVIDER as OFFLINE
from agentflow_dagster.models.providers import Provider, by_family, by_name, configured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# LiteLLM wants a key even for a server of one's own that asks for none.
_NO_KEY = "not-needed"


@dataclass(frozen=True, slots=True)
class Choice:
    """The model that answers.

    Args:
        provider: LiteLLM's name of the provider, or `offline`.
        model: The model's name without the provider.
        key, base, version: What the call is made with; None leaves it to LiteLLM.
        settings: The environment variables that configure the provider, for hints.
    """

    provider: str
    model: str
    key: str | None = field(default=None, repr=False)
    base: str | None = None
    version: str | None = None
    settings: str = ""

    @property
    def is_offline(self) -> bool:
        return self.provider == OFFLINE

    @property
    def name(self) -> str:
        """`provider/model`."""
        return f"{self.provider}/{self.model}"


def choose(
    asked: str | None,
    environment: Mapping[str, str],
    *,
    provider_of: Callable[[str], str | None],
) -> Choice:
    """The model for a request.

    Args:
        asked: The request's `model`.
        provider_of: Tells the provider of a bare name that we do not know ourselves, or None.

    Raises:
        ModelError: the model's provider is unknown or not configured while another one is.
    """
    ready = configured(environment)
    if asked and asked.startswith(f"{OFFLINE}/") and asked != OFFLINE_MODEL:
        raise _refusal(asked, OFFLINE, "There is no such offline model.", f"Use {OFFLINE_MODEL}.")
    if not ready or asked == OFFLINE_MODEL:
        return Choice(OFFLINE, OFFLINE_MODEL.partition("/")[2])
    if not asked:
        return _default(ready, environment)
    provider_name, model = _provider_and_model(asked, provider_of)
    provider = by_name(provider_name)
    if provider is None:
        # LiteLLM knows more providers than we do, and reads their variables itself.
        return Choice(provider_name, model)
    if provider not in ready:
        raise _refusal(
            asked,
            provider.name,
            f"{provider.name} is not configured, and {asked!r} is one of its models.",
            f"Set {provider.settings}, or name a model of: {', '.join(p.name for p in ready)}.",
        )
    return _of(provider, model, environment)


def _default(ready: tuple[Provider, ...], environment: Mapping[str, str]) -> Choice:
    provider = next((p for p in ready if p.default), None)
    if provider is None:
        raise _refusal(
            "",
            ready[0].name,
            f"No model is named, and {ready[0].name} has no default one.",
            f"Name one ({ready[0].name}/…) in the node or in spec.defaults.llm.model.",
        )
    return _of(provider, provider.default, environment)


def _of(provider: Provider, model: str, environment: Mapping[str, str]) -> Choice:
    return Choice(
        provider=provider.name,
        model=model,
        key=provider.key(environment) or _NO_KEY,
        base=provider.base(environment),
        version=environment.get(provider.version) if provider.version else None,
        settings=provider.settings,
    )


def _provider_and_model(asked: str, provider_of: Callable[[str], str | None]) -> tuple[str, str]:
    prefix, slash, rest = asked.partition("/")
    if slash and (by_name(prefix) or provider_of(asked) == prefix):
        return prefix, rest
    if family := by_family(asked):
        return family.name, asked
    if told := provider_of(asked):
        return told, asked.removeprefix(f"{told}/")
    raise _refusal(
        asked,
        "",
        f"No provider of a model {asked!r} is known.",
        "Write the provider before it, such as openai/… for a server that speaks its protocol.",
    )


def _refusal(asked: str, provider: str, message: str, hint: str) -> ModelError:
    return ModelError(message, model=asked, provider=provider, retryable=False, hint=hint)
