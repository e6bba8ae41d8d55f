"""What a wire protocol must say for a server to speak it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.spec.values import JsonObject
    from agentflow_dagster.testing.answers import Answer, Refusal
    from agentflow_dagster.testing.protocols.asked import Asked

CREATED = 1_700_000_000
"""When every reply was made, in seconds since 1970: the same script gives the same bytes."""


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of a stream.

    Args:
        data: What it holds; text stands as it is (`[DONE]`).
        name: Its kind, for protocols that name it.
    """

    data: JsonObject | str
    name: str = ""


class WireProtocol(ABC):
    """One provider's way of asking and answering.

    `answers` is asked first: a server gives a request to the first protocol that answers its path.
    """

    name: ClassVar[str]
    stream_type: ClassVar[str] = "text/event-stream"

    @abstractmethod
    def answers(self, path: str) -> bool:
        """Whether requests to this path are calls of a model, in this protocol."""

    @abstractmethod
    def asked(self, provider: str, path: str, body: JsonObject) -> Asked:
        """What a request asks for."""

    @abstractmethod
    def whole(self, path: str, asked: Asked, answer: Answer) -> JsonObject:
        """The body of an answer that comes as a whole."""

    @abstractmethod
    def stream(self, path: str, asked: Asked, answer: Answer) -> Sequence[Event]:
        """The answer in pieces."""

    @abstractmethod
    def nothing(self, path: str, asked: Asked, answer: Answer) -> JsonObject:
        """The body of a reply with no answer in it."""

    @abstractmethod
    def nothing_streamed(self, path: str, asked: Asked, answer: Answer) -> Sequence[Event]:
        """The same in pieces."""

    @abstractmethod
    def error(self, status: int, message: str) -> JsonObject:
        """The body that goes with an error."""

    def error_event(self, message: str) -> Event:
        """An error in the middle of a stream."""
        return Event(self.error(500, message), "error")

    def instead(self, answer: Answer) -> Refusal | None:
        """What the provider does where its protocol cannot say that answer."""
        return None

    def aside(self, path: str) -> JsonObject | None:
        """The answer to a path that is no call of a model (a list of models); None for none."""
        return None

    def frame(self, event: Event) -> bytes:
        """A piece as bytes. Server-sent events, where a protocol says nothing else."""
        return _framed(event.name, _text(event))

    def broken(self, event: Event) -> bytes:
        """A piece whose JSON ends in the middle."""
        text = _text(event)
        return self.frame(Event(text[: len(text) * 2 // 3], event.name))


class Lines(WireProtocol):
    """A protocol whose streams are lines of JSON."""

    stream_type: ClassVar[str] = "application/x-ndjson"

    def frame(self, event: Event) -> bytes:
        return f"{_text(event)}\n".encode()


def _text(event: Event) -> str:
    if isinstance(event.data, str):
        return event.data
    return json.dumps(event.data, ensure_ascii=False)


def _framed(name: str, text: str) -> bytes:
    return f"event: {name}\ndata: {text}\n\n".encode() if name else f"data: {text}\n\n".encode()
