"""`models.yaml`: what a project says of models, beside keys and addresses in its environment.

Only the project's own file is read; a document or a caller can say none of it, so that nobody but
the operator decides where a key is sent.
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from agentflow_dagster.engine.redaction_rules import Rule, Rules
from agentflow_dagster.errors import UsageError
from agentflow_dagster.spec.demands import LLMRouting
from agentflow_dagster.spec.element import Element

if TYPE_CHECKING:
    from pathlib import Path

FILE = "models.yaml"
_LARGEST_FILE = 1_000_000
Usd = Annotated[Decimal, Field(ge=0, le=1_000_000)]
Quality = Literal[1, 2, 3]
"""1 for small and quick models, 2 for capable ones, 3 for the strongest."""
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
_Model = Annotated[str, StringConstraints(min_length=1, max_length=255)]
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,199}")


class ModelFacts(Element):
    """What is known of a model; what is left out is as LiteLLM's list has it.

    Prices are USD per million tokens.
    """

    context_window: int | None = Field(default=None, ge=1, description="Most tokens of input.")
    max_output: int | None = Field(default=None, ge=1, description="Most tokens of output.")
    input_per_million: Usd | None = None
    output_per_million: Usd | None = None
    cached_input_per_million: Usd | None = None
    tools: bool | None = None
    json_schema: bool | None = None
    vision: bool | None = None
    quality: Quality | None = None
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)


class ProviderSettings(Element):
    """A server that speaks OpenAI's protocol, another provider of LiteLLM's by the variable that
    holds its key, or more about one that is known."""

    base_url: Annotated[str, StringConstraints(max_length=2_000)] | None = None
    key_variable: str | None = Field(
        default=None,
        description="The environment variable that holds its key; a server without one needs none.",
    )
    local: bool | None = Field(
        default=None, description="Whether what it is told stays with you: sensitive data may go."
    )
    default_model: _Model | None = None
    stream: bool = Field(
        default=False,
        description="Whether replies come in pieces even where nobody listens: one that stalls is "
        "found out after `silenceSeconds`. It takes about 0.5 ms of processor a piece.",
    )
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)

    @field_validator("key_variable")
    @classmethod
    def _named(cls, variable: str | None) -> str | None:
        # No pattern of pydantic's: who writes the key itself here is not to read it in an error.
        if variable is not None and not _VARIABLE.fullmatch(variable):
            raise ValueError("write the name of an environment variable, such as ACME_API_KEY")
        return variable

    @field_validator("base_url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
                raise ValueError("write https://host/v1, without a user")
        return url


class RedactRule(Element):
    """What is shown as `[name]`."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]
    pattern: str = Field(
        default="",
        description="A regular expression of RE2's, of at most 1,000 characters; a built-in rule "
        "has none.",
    )

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, said: object) -> object:
        return {"name": said} if isinstance(said, str) else said

    @model_validator(mode="after")
    def _sound(self) -> RedactRule:
        Rule(self.name, self.pattern)
        return self


class ModelSettings(Element):
    """The whole file."""

    aliases: dict[_Model, _Model] = Field(default_factory=dict[str, str])
    models: dict[_Model, ModelFacts] = Field(default_factory=dict[str, ModelFacts])
    providers: dict[_Name, ProviderSettings] = Field(default_factory=dict[str, ProviderSettings])
    routing: LLMRouting | None = Field(
        default=None, description="For agents that have no `llmRouting` of their own."
    )
    allowed_providers: tuple[_Name, ...] | None = Field(
        default=None, description="No other provider is asked; all are where it is left out."
    )
    redact: tuple[RedactRule, ...] = Field(
        default=(),
        max_length=50,
        description="What is not shown of data in previews, logs, errors and live text: names of "
        "built-in rules, and rules of your own.",
    )
    answer_seconds: float = Field(
        default=300, gt=0, le=3_600, description="Until a reply that is no stream must be there."
    )
    first_token_seconds: float = Field(
        default=60, gt=0, le=3_600, description="Until a streamed reply must begin."
    )
    silence_seconds: float = Field(
        default=30, gt=0, le=3_600, description="Between two pieces of a streamed reply."
    )

    @property
    def rules(self) -> Rules:
        """What `redact` says."""
        return Rules(tuple(Rule(rule.name, rule.pattern) for rule in self.redact))


def read_settings(folder: Path) -> ModelSettings:
    """What the `models.yaml` of a project says; a project without one says nothing.

    It is read anew where the file has changed.

    Raises:
        UsageError: it cannot be read; the message has the place.
    """
    path = folder / FILE
    if not path.is_file():
        return ModelSettings()
    found = path.stat()
    if found.st_size > _LARGEST_FILE:
        raise UsageError(f"{FILE} is larger than {_LARGEST_FILE:,} bytes.")
    return _read(path, (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))


@lru_cache(maxsize=8)
def _read(path: Path, state: tuple[int, ...]) -> ModelSettings:
    from agentflow_dagster.spec.diagnostics import locate
    from agentflow_dagster.spec.parse import validated
    from agentflow_dagster.spec.yaml_reader import read_yaml

    del state  # By which the file is known as one that was read.
    try:
        source = read_yaml(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise UsageError(f"{FILE} is not UTF-8.") from None
    if source.diagnostics:
        first = source.diagnostics[0]
        if first.code == "AF101" and not source.positions:
            return ModelSettings()  # Comments alone, or nothing.
        hint = "A file of this kind begins with `providers:`, `models:` or the like."
        told = replace(first, hint=hint) if first.code == "AF101" else first
        raise UsageError(str(told.at(FILE, None)))
    settings = validated(ModelSettings, source.document or {})
    if isinstance(settings, ModelSettings):
        return settings
    first = settings[0]
    raise UsageError(str(first.at(FILE, locate(source.positions, first.pointer))))
