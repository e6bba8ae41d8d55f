"""What steps work with in these tests, in the shape of the project's own `resources/`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from agentflow_dagster.engine.redaction_rules import NO_RULES, Rules
from agentflow_dagster.ports.model import ModelReply, Usage
from agentflow_dagster.ports.notebooks import NoNotebooks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from agentflow_dagster.ports.model import Listener, ModelRequest
    from agentflow_dagster.spec.values import JsonValue
    from agentflow_dagster.stores import Stores


class ScriptedModel:
    """Answers as a test says: text, or the object that a schema asks for; may raise instead.

    `answer` is called with each request; all requests are kept. Where a test gives `reply`, that
    gives the whole reply instead.
    """

    answer: Callable[[ModelRequest], JsonValue]

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []
        self.label()

    def label(self) -> None:
        """From now on repeats what it is asked, and answers `label …` with `bug` or `other`."""
        self.requests.clear()
        self.rules = NO_RULES
        self.answer = _label
        self.reply: Callable[[ModelRequest], ModelReply] | None = None
        self._hanging = ""

    def hang_on(self, prompt: str) -> None:
        """From now on never answers this prompt."""
        self._hanging = prompt

    async def complete(self, request: ModelRequest, listener: Listener | None = None) -> ModelReply:
        self.requests.append(request)
        if request.messages[-1].content == self._hanging:
            await asyncio.Event().wait()
        if self.reply is not None:
            return self.reply(request)
        said = self.answer(request)
        usage = Usage(7, 3, Decimal("0.0005"), 12.5, request.model or "scripted-1", "scripted")
        return ModelReply(said if isinstance(said, str) else "", said, usage)


def _label(request: ModelRequest) -> JsonValue:
    asked = request.messages[-1].content
    if asked.startswith("label "):
        return "bug" if "bug" in asked else "other"
    return f"re: {asked}"


class GivenSecrets:
    """Secrets from a dict that tests fill."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def lookup(self, name: str) -> str | None:
        return self.values.get(name)


@dataclass
class Secrets:
    """As `resources/secrets.py`."""

    given: GivenSecrets = field(default_factory=GivenSecrets)
    variables: dict[str, str] = field(default_factory=dict[str, str])

    def adapter(self) -> GivenSecrets:
        return self.given

    def environment(self) -> Mapping[str, str]:
        return self.variables


@dataclass(frozen=True)
class Adapter:
    """A resource that hands out one adapter."""

    held: object

    def adapter(self, *_: object) -> object:
        return self.held


@dataclass(frozen=True)
class Models(Adapter):
    """As `resources/model.py`; the model of a test says which rules hold."""

    def redaction(self) -> Rules:
        return getattr(self.held, "rules", NO_RULES)


@dataclass(frozen=True)
class Code(Adapter):
    """As `resources/code.py`, with a folder of a test's."""

    folder: Path | None = None

    def notebooks(self) -> NoNotebooks:
        return NoNotebooks()

    def data(self) -> Path | None:
        return self.folder


@dataclass(frozen=True)
class OpenStores:
    """As `resources/stores.py`, on the test's database."""

    stores: Stores

    def open(self) -> Stores:
        return self.stores
