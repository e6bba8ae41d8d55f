"""Says which model a name means, and by what key and address it is called.

- No provider is configured: `offline/extractive`, whatever is asked for. Usage says so.
- Some provider is configured: the model asked for, if its provider is among them; the first one's
  default model where none is asked for; a refusal that names the variable to set otherwise.
- A name that begins with `offline/` is always the offline model, one with `test/` a scripted one.

Keys and addresses come from the environment and from the project's `models.yaml`. A name never
holds an address, so that no document can have a key sent anywhere else. A provider that neither our
table nor `models.yaml` has is refused: to many of them LiteLLM would send OpenAI's key.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models.aliases import resolved
from agentflow_dagster.models.offline import MODEL as OFFLINE_MODEL
from agentflow_dagster.models.offline import PROVIDER as OFFLINE
from agentflow_dagster.models.providers import PROVIDERS, Provider, by_family, by_name
from agentflow_dagster.models.settings import ModelSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.models.providers import Lookup

# LiteLLM wants a key even for a server of one's own that asks for none.
_NO_KEY = "not-needed"
SCRIPTED = "test"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+-]|:(?!/)|/(?=[A-Za-z0-9_@]))*")
_LONGEST_NAME = 255
_SHOWN = 80
_ELSEWHERE = re.compile(r"[:-]cloud$")
"""Models that a local Ollama has another machine run."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The model that answers.

    Args:
        provider: LiteLLM's name of the provider, the project's name of a server, or `offline`.
        model: The model's name without the provider.
        protocol: LiteLLM's name of the protocol that it speaks.
        listed_as: The provider's name in LiteLLM's list of prices; "" where it is not in there.
        key, base, version: What the call is made with; None leaves it to LiteLLM.
        settings: The environment variables that configure the provider, for hints.
        is_local: What it is told stays with whoever runs AgentFlow.
    """

    provider: str
    model: str
    protocol: str = ""
    listed_as: str = ""
    key: str | None = field(default=None, repr=False)
    base: str | None = None
    version: str | None = None
    settings: str = ""
    is_local: bool = False

    @property
    def is_offline(self) -> bool:
        return self.provider == OFFLINE

    @property
    def is_scripted(self) -> bool:
        return self.provider == SCRIPTED

    @property
    def name(self) -> str:
        """`provider/model`, as people write it."""
        return f"{self.provider}/{self.model}"


class Chooser:
    """Knows what is configured; asks for keys anew each time, so that a change takes effect.

    Args:
        lookup: Environment variables and secrets by name.
        settings: The project's.
        provider_of: Tells the provider of a bare name that we do not know ourselves, or None.
    """

    def __init__(
        self,
        lookup: Lookup,
        settings: ModelSettings | None = None,
        *,
        provider_of: Callable[[str], str | None],
    ) -> None:
        self._lookup = lookup
        self._settings = settings or ModelSettings()
        self._provider_of = provider_of
        self._all = self._with_the_projects()

    def choose(self, asked: str | None) -> Choice:
        """The model that a name means; the default where there is none.

        Raises:
            ModelError: the model's provider is unknown, not allowed, or not configured while
                another one is.
        """
        name = resolved(asked, self._settings.aliases) if asked else None
        if name and (len(name) > _LONGEST_NAME or not _NAME.fullmatch(name)):
            shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
            raise _refusal(shown, "", f"{shown!r} is no name of a model.", "Write provider/model.")
        if name and name.startswith(f"{SCRIPTED}/"):
            return Choice(SCRIPTED, name.partition("/")[2], SCRIPTED, is_local=True)
        if name and name.startswith(f"{OFFLINE}/") and name != OFFLINE_MODEL:
            raise _refusal(
                name, OFFLINE, "There is no such offline model.", f"Use {OFFLINE_MODEL}."
            )
        if name == OFFLINE_MODEL or self.is_offline:
            return Choice(OFFLINE, OFFLINE_MODEL.partition("/")[2], OFFLINE, is_local=True)
        choice = self._named(name) if name else self._default()
        allowed = self._settings.allowed_providers
        if allowed is not None and choice.provider not in allowed:
            raise _refusal(
                choice.name,
                choice.provider,
                f"{choice.provider} is not among the providers that this project allows.",
                f"Name a model of: {', '.join(allowed)}; or add it in models.yaml.",
            )
        return choice

    @property
    def is_offline(self) -> bool:
        """Whether no provider is configured."""
        return not any(map(self._is_ready, self._all))

    def _ready(self) -> tuple[Provider, ...]:
        """The providers that can be called, in the order in which they give the default model."""
        return tuple(filter(self._is_ready, self._all))

    def _is_ready(self, provider: Provider) -> bool:
        return self._has_address(provider) or provider.is_configured(self._lookup)

    def _with_the_projects(self) -> tuple[Provider, ...]:
        """Those that the project adds, then our table's, with what the project says of them."""
        said = self._settings.providers
        own = (Provider(name) for name in said if by_name(name) is None)
        table = sorted(PROVIDERS, key=lambda provider: not self._has_address(provider))
        return tuple(self._with_what_is_said(provider) for provider in (*own, *table))

    def _with_what_is_said(self, provider: Provider) -> Provider:
        said = self._settings.providers.get(provider.name)
        if said is None:
            return provider
        return replace(
            provider,
            keys=(said.key_variable,) if said.key_variable else provider.keys,
            default=said.default_model or provider.default,
        )

    def _has_address(self, provider: Provider) -> bool:
        said = self._settings.providers.get(provider.name)
        return said is not None and said.base_url is not None

    def _default(self) -> Choice:
        ready = self._ready()
        provider = next((p for p in ready if p.default), None)
        if provider is None:
            raise _refusal(
                "",
                ready[0].name,
                f"No model is named, and {ready[0].name} has no default one.",
                f"Name one ({ready[0].name}/…) in the node or in spec.defaults.llm.model.",
            )
        return self._of(provider, provider.default)

    def _named(self, asked: str) -> Choice:
        provider_name, model = self._provider_and_model(asked)
        provider = next((p for p in self._all if p.name == provider_name), None)
        if provider is None or not (provider.settings or self._has_address(provider)):
            raise _refusal(
                asked,
                provider_name,
                f"AgentFlow does not know whose key {provider_name} is called with.",
                f"Say it in models.yaml: providers: {{{provider_name}: {{keyVariable: …}}}}; or "
                f"name a model of: {self._named_ready()}.",
            )
        if not self._is_ready(provider):
            raise _refusal(
                asked,
                provider.name,
                f"{provider.name} is not configured, and {asked!r} is one of its models.",
                f"Set {provider.settings}, or name a model of: {self._named_ready()}.",
            )
        return self._of(provider, model)

    def _named_ready(self) -> str:
        return ", ".join(provider.name for provider in self._ready())

    def _of(self, provider: Provider, model: str) -> Choice:
        said = self._settings.providers.get(provider.name)
        if said is not None and said.base_url is not None:
            known = by_name(provider.name)
            return Choice(
                provider=provider.name,
                model=model,
                protocol=(known.protocol or known.name) if known else "openai",
                listed_as=(known.listed_as or known.name) if known else "",
                key=provider.key(self._lookup) or _NO_KEY,
                base=said.base_url,
                settings=said.key_variable or "models.yaml",
                is_local=bool(said.local),
            )
        base = provider.base(self._lookup)
        stays = provider.own_machine and _is_ones_own(base) and not _ELSEWHERE.search(model)
        return Choice(
            provider=provider.name,
            model=model,
            protocol=provider.protocol or provider.name,
            listed_as=provider.listed_as or provider.name,
            key=provider.key(self._lookup) or _NO_KEY,
            base=base,
            version=self._lookup(provider.version) if provider.version else None,
            settings=provider.settings,
            is_local=stays if said is None or said.local is None else said.local,
        )

    def _provider_and_model(self, asked: str) -> tuple[str, str]:
        prefix, slash, rest = asked.partition("/")
        known = prefix in self._settings.providers or by_name(prefix)
        if slash and (known or self._provider_of(asked) == prefix):
            return prefix, rest
        if family := by_family(asked):
            return family.name, asked
        if told := self._provider_of(asked):
            return told, asked.removeprefix(f"{told}/")
        raise _refusal(
            asked,
            "",
            f"No provider of a model {asked!r} is known.",
            "Write the provider before it, such as openai/… for a server that speaks its protocol.",
        )


def _is_ones_own(base: str | None) -> bool:
    """Whether an address is this machine's, or of a private network."""
    host = urlsplit(base if base and "//" in base else f"//{base or ''}").hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".svc", ".localhost"))
    return address.is_private or address.is_loopback


def _refusal(asked: str, provider: str, message: str, hint: str) -> ModelError:
    return ModelError(message, model=asked, provider=provider, retryable=False, hint=hint)
