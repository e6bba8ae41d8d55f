"""The providers whose settings we read: environment variables, model families, default models.

One table. A provider that is not in it is called where the project's `models.yaml` names its key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Lookup: TypeAlias = "Callable[[str], str | None]"
"""Gives the value of an environment variable; None where it is not set."""


@dataclass(frozen=True, slots=True)
class Provider:
    """How one provider is configured.

    Args:
        name: LiteLLM's name for it, the prefix in `name/model`.
        keys: Environment variables that hold its key, the first that is set counts.
        bases: Environment variables that hold its base URL, likewise.
        family: Matches names of its models that have no prefix; empty matches none.
        default: The model that is taken where none is asked for; empty where it must be named.
        needs_key: A base URL alone does not configure it.
        needs_base: A key alone does not configure it.
        version: Environment variable that holds the version of its API.
        own_machine: People run it themselves: where its address is one of theirs, what it is told
            stays with them.
        protocol: LiteLLM's name of the protocol that it is spoken to in; its own where it is "".
        usual_base: Where it is, if no variable says otherwise and LiteLLM would not know.
        listed_as: Its name in LiteLLM's list of prices; its own where it is "".
    """

    name: str
    keys: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    family: str = ""
    default: str = ""
    needs_key: bool = False
    needs_base: bool = False
    version: str = ""
    own_machine: bool = False
    protocol: str = ""
    usual_base: str = ""
    listed_as: str = ""

    def key(self, lookup: Lookup) -> str | None:
        """Its key; None where none is set."""
        return _first(self.keys, lookup)

    def base(self, lookup: Lookup) -> str | None:
        """Its base URL; None where LiteLLM knows it."""
        return self._said_base(lookup) or self.usual_base or None

    def _said_base(self, lookup: Lookup) -> str | None:
        return _first(self.bases, lookup)

    def is_configured(self, lookup: Lookup) -> bool:
        """Whether it can be called."""
        key, base = self.key(lookup), self._said_base(lookup)
        if (self.needs_key and not key) or (self.needs_base and not base):
            return False
        return bool(key or base)

    @property
    def settings(self) -> str:
        """The variables to set, for a hint."""
        key, base = self.keys[:1], self.bases[:1]
        if self.needs_base:
            return " and ".join((*base, *(key if self.needs_key else ())))
        return " or ".join((*key, *(() if self.needs_key else base)))


def _local(name: str, key: str, *bases: str) -> Provider:
    # Ollama's older protocol knows no conversation.
    protocol = "ollama_chat" if name == "ollama" else ""
    return Provider(name, (key,), bases, needs_base=True, own_machine=True, protocol=protocol)


PROVIDERS = (
    Provider(
        "openai",
        ("OPENAI_API_KEY",),
        ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
        r"(?:gpt|chatgpt|o\d|text-davinci|codex)\b",
        "gpt-4o-mini",
    ),
    Provider(
        "anthropic",
        ("ANTHROPIC_API_KEY",),
        ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
        r"claude\b",
        "claude-haiku-4-5",
    ),
    Provider(
        "gemini",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        ("GEMINI_API_BASE",),
        r"gemini\b",
        "gemini-2.5-flash",
        needs_key=True,
    ),
    Provider(
        "mistral",
        ("MISTRAL_API_KEY",),
        ("MISTRAL_API_BASE",),
        r"(?:mistral|ministral|magistral|codestral|open-mi[sx]tral)\b",
        "mistral-small-latest",
        needs_key=True,
    ),
    Provider(
        "deepseek",
        ("DEEPSEEK_API_KEY",),
        ("DEEPSEEK_API_BASE",),
        r"deepseek-(?:chat|reasoner)\b",
        "deepseek-chat",
        needs_key=True,
    ),
    Provider("groq", ("GROQ_API_KEY",), ("GROQ_API_BASE",), needs_key=True),
    Provider("xai", ("XAI_API_KEY",), ("XAI_API_BASE",), r"grok\b", needs_key=True),
    # LiteLLM cannot read a stream of Cohere's own protocol (events have names in it), and asks
    # huggingface.co for settings at calls of that provider's. Both speak OpenAI's, too.
    Provider(
        "cohere",
        ("COHERE_API_KEY", "CO_API_KEY"),
        ("COHERE_API_BASE",),
        r"command\b",
        "command-r7b-12-2024",
        needs_key=True,
        protocol="openai",
        usual_base="https://api.cohere.ai/compatibility/v1",
        listed_as="cohere_chat",
    ),
    Provider("openrouter", ("OPENROUTER_API_KEY",), ("OPENROUTER_API_BASE",), needs_key=True),
    Provider("together_ai", ("TOGETHERAI_API_KEY", "TOGETHER_AI_API_KEY"), needs_key=True),
    Provider(
        "huggingface",
        ("HF_TOKEN", "HUGGINGFACE_API_KEY"),
        ("HF_API_BASE", "HUGGINGFACE_API_BASE"),
        needs_key=True,
        protocol="openai",
        usual_base="https://router.huggingface.co/v1",
    ),
    Provider(
        "azure",
        ("AZURE_API_KEY",),
        ("AZURE_API_BASE",),
        needs_key=True,
        needs_base=True,
        version="AZURE_API_VERSION",
    ),
    _local("ollama", "OLLAMA_API_KEY", "OLLAMA_API_BASE", "OLLAMA_HOST"),
    _local("ollama_chat", "OLLAMA_API_KEY", "OLLAMA_API_BASE", "OLLAMA_HOST"),
    _local("hosted_vllm", "HOSTED_VLLM_API_KEY", "HOSTED_VLLM_API_BASE"),
    _local("lm_studio", "LM_STUDIO_API_KEY", "LM_STUDIO_API_BASE"),
)


def by_name(name: str) -> Provider | None:
    """The provider of that name, if we know it."""
    return next((provider for provider in PROVIDERS if provider.name == name), None)


def by_family(model: str) -> Provider | None:
    """The provider that a model's bare name belongs to, if its family is known."""
    return next((p for p in PROVIDERS if p.family and re.match(p.family, model)), None)


def _first(names: tuple[str, ...], lookup: Lookup) -> str | None:
    return next((value for name in names if (value := (lookup(name) or "").strip())), None)
