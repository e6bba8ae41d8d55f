"""Secrets written into a document: by the form of big providers' keys, and by their randomness.

Forms and entropy are those of detect-secrets (Yelp), with the newer providers' added. What stands
in `{{ }}` is left aside, and no message repeats what was found.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from agentflow_dagster.spec.diagnostics import Diagnostic, error, pointer, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from detect_secrets.plugins.base import BasePlugin

    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonValue

Path = tuple[str | int, ...]

_PARTS = ("metadata", "spec")
_DETECTORS = {
    "aws": "AWSKeyDetector",
    "azure_storage_key": "AzureStorageKeyDetector",
    "basic_auth": "BasicAuthDetector",
    "discord": "DiscordBotTokenDetector",
    "github_token": "GitHubTokenDetector",
    "gitlab_token": "GitLabTokenDetector",
    "jwt": "JwtTokenDetector",
    "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector",
    "openai": "OpenAIDetector",
    "private_key": "PrivateKeyDetector",
    "pypi_token": "PypiTokenDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "telegram_token": "TelegramBotTokenDetector",
    "twilio": "TwilioKeyDetector",
}
"""Modules of `detect_secrets.plugins` and the class in each."""
_NEWER = {
    "Anthropic key": re.compile(r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    "OpenAI key": re.compile(
        r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}|\bsk-[A-Za-z0-9]{32,}"
    ),
    "Google key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}"),
    "Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "Groq key": re.compile(r"\bgsk_[A-Za-z0-9]{40,}"),
    "xAI key": re.compile(r"\bxai-[A-Za-z0-9]{40,}"),
}
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_WORTH_A_LOOK = re.compile(r"[A-Za-z0-9_\-+/=.]{16}|-----BEGIN|://[^/\s:]+:[^/\s]+@")
"""What anything below needs to match at all; few texts of a document do."""
_TOKEN = re.compile(r"(?:(?:Bearer|Basic|Token|token) +)?([A-Za-z0-9+/_=-]{20,200})")
_QUOTED = re.compile(r"""(['"])([A-Za-z0-9+/_=-]{20,200})\1""")
_RANDOM_BITS = 4.2
"""Bits a character; English words stay below 4, random base64 of 24 characters begins at 4.2."""


def check_clear_secrets(agent: Agent) -> Iterator[Diagnostic]:
    """AF503 for a provider's key, AF504 for a text that looks random; one for each text."""
    document = agent.model_dump(mode="json", by_alias=True, exclude_unset=True, include={*_PARTS})
    for path, text in _texts(cast("Mapping[str, JsonValue]", document), ()):
        bare = _EXPRESSION.sub(" ", text)
        if not _WORTH_A_LOOK.search(bare):
            continue
        if (provider := _provider(bare)) is not None:
            yield error(
                "AF503",
                f"{_article(provider)} stands here in clear.",
                pointer=pointer(*path),
                hint="Revoke it. Name the new one in spec.secrets, and write {{secret.NAME}}.",
            )
        elif _looks_random(bare):
            yield warning(
                "AF504",
                "This may be a secret: its characters look random.",
                pointer=pointer(*path),
                hint="If it is one, name it in spec.secrets, and write {{secret.NAME}}.",
            )


def keys_in(text: str) -> frozenset[str]:
    """The providers' keys that stand in a text."""
    if not _WORTH_A_LOOK.search(text):
        return frozenset()
    newer = {found[0] for form in _NEWER.values() for found in form.finditer(text)}
    lines = text.splitlines()
    older = {
        found for plugin in _plugins() for line in lines for found in plugin.analyze_string(line)
    }
    return frozenset(newer | older)


def _texts(value: JsonValue | Mapping[str, JsonValue], path: Path) -> Iterator[tuple[Path, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, inner in value.items():
                yield from _texts(inner, (*path, key))
        case list():
            for index, inner in enumerate(value):
                yield from _texts(inner, (*path, index))
        case _:
            return


@lru_cache(maxsize=1_000)
def _provider(text: str) -> str | None:
    """Whose key stands in a text. Most texts are those that were looked at before."""
    for name, form in _NEWER.items():
        if form.search(text):
            return name
    for plugin in _plugins():
        if any(found for line in text.splitlines() for found in plugin.analyze_string(line)):
            return plugin.secret_type
    return None


def _looks_random(text: str) -> bool:
    whole = _TOKEN.fullmatch(text.strip())
    tokens = [whole[1]] if whole else [match[2] for match in _QUOTED.finditer(text)]
    return any(_is_random(token) for token in tokens)


def _is_random(token: str) -> bool:
    from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString

    mixed = re.search(r"[0-9]", token) and re.search(r"[a-z]", token) and re.search(r"[A-Z]", token)
    bits = Base64HighEntropyString().calculate_shannon_entropy(token)
    return bool(mixed) and bits >= _RANDOM_BITS


@lru_cache(maxsize=1)
def _plugins() -> Sequence[BasePlugin]:
    from importlib import import_module

    modules = {name: import_module(f"detect_secrets.plugins.{name}") for name in _DETECTORS}
    return tuple(getattr(modules[name], kind)() for name, kind in _DETECTORS.items())


def _article(name: str) -> str:
    return f"{'An' if name[0] in 'AEIOUaeiou' else 'A'} {name}"
