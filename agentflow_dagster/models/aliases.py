"""Names that models are still called by after they are gone, and what answers to them today."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ALIASES = {
    "gpt-3.5-turbo": "openai/gpt-4o-mini",
    "gpt-4": "openai/gpt-4.1",
    "gpt-4-turbo": "openai/gpt-4.1",
    "o1": "openai/o3",
    "claude-3-haiku": "anthropic/claude-haiku-4-5",
    "claude-3-sonnet": "anthropic/claude-sonnet-4-6",
    "claude-3-opus": "anthropic/claude-opus-4-8",
    "gemini-pro": "gemini/gemini-2.5-pro",
    "gemini-2.0-flash": "gemini/gemini-2.5-flash",
    "command-r": "cohere/command-r-08-2024",
    "llama-3-8b": "ollama/llama3:8b",
}
_MOST = 5
"""Aliases of aliases that are followed."""


def resolved(name: str, own: Mapping[str, str]) -> str:
    """The name that an alias stands for; any other name as it is.

    `provider/alias` is one too, where the alias stands for a model of that provider.

    Args:
        name: What was asked for.
        own: The project's aliases, which go first.
    """
    for _ in range(_MOST):
        known = own.get(name) or ALIASES.get(name) or _of_provider(name)
        if known is None or known == name:
            break
        name = known
    return name


def _of_provider(name: str) -> str | None:
    provider, _, bare = name.partition("/")
    meant = ALIASES.get(bare)
    if meant is None or meant.partition("/")[0] != provider.removesuffix("_chat"):
        return None
    return meant
