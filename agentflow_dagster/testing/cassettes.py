"""A session with a real model, recorded once and replayed offline."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal, get_args

from agentflow_dagster.errors import ModelError, UsageError
from agentflow_dagster.spec.yaml_reader import read_yaml
from agentflow_dagster.spec.yaml_writer import write_yaml
from agentflow_dagster.testing.answers import in_pieces
from agentflow_dagster.testing.protocols.reading import mapping, objects
from agentflow_dagster.testing.recorded import (
    asked_form,
    differences,
    error_form,
    reply_form,
    reply_of,
    scrubbed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from agentflow_dagster.ports.model import Listener, Model, ModelReply, ModelRequest
    from agentflow_dagster.spec.values import JsonObject

Mode = Literal["replay", "record", "auto"]
"""`replay` asks nobody, and fails where nothing was recorded; `record` begins anew; `auto` replays
what was recorded and records the rest."""

_SHOWN = 3
"""Differences that an error tells."""


class Cassette:
    """A `Model` that another one's answers are recorded of, in a YAML file.

    A request is known again by what its answer depends on: model, messages, tools, schema,
    temperature and the limit of tokens. Equal requests get their answers in the order in which they
    were recorded, each once. Keys are left out of the file, and pictures stand there by their
    hashes. Replaying needs no provider and imports no LiteLLM.

    Args:
        file: Where it is kept; folders are made.
        model: Who is asked while recording; may be None for `replay`.
        mode: What is asked anew.
        secrets: Values that must not be written, beside all that looks like a provider's key.
    """

    def __init__(
        self,
        file: Path,
        model: Model | None = None,
        *,
        mode: Mode = "replay",
        secrets: Iterable[str] = (),
    ) -> None:
        if mode not in get_args(Mode):
            raise UsageError(f"A cassette does not {mode!r}.", hint="replay, record or auto.")
        if model is None and mode != "replay":
            raise UsageError(f"A cassette needs a model to {mode}.", hint="Give it one.")
        self._file = file
        self._model = model
        self._mode: Mode = mode
        self._secrets = frozenset(secrets)
        self._lock = threading.Lock()
        self._calls = [] if mode == "record" else _read(file)
        self._used: set[int] = set()

    async def complete(self, request: ModelRequest, listener: Listener | None = None) -> ModelReply:
        """The recorded answer, or the model's.

        Raises:
            ModelError: the answer was one; or there is none to this request, and nobody is asked.
        """
        asked = scrubbed(asked_form(request), self._secrets)
        found = None if self._mode == "record" else self._take(asked)
        if found is not None:
            reply = reply_of(found)
            if listener is not None:
                for piece in in_pieces(reply.text):
                    listener.text(piece)
            return reply
        if self._model is None or self._mode == "replay":
            raise self._miss(asked)
        place = self._begin(asked)
        try:
            reply = await self._model.complete(request, listener)
        except ModelError as error:
            self._end(place, error_form(error))
            raise
        self._end(place, reply_form(reply))
        return reply

    def _take(self, asked: JsonObject) -> JsonObject | None:
        with self._lock:
            for place, call in enumerate(self._calls):
                if place not in self._used and call["asked"] == asked and "answered" in call:
                    self._used.add(place)
                    return mapping(call["answered"])
        return None

    def _begin(self, asked: JsonObject) -> int:
        with self._lock:
            self._calls.append({"asked": asked})
            place = len(self._calls) - 1
            self._used.add(place)
            return place

    def _end(self, place: int, answered: JsonObject) -> None:
        with self._lock:
            self._calls[place]["answered"] = scrubbed(answered, self._secrets)
            # In the order in which they were asked, whoever answered first.
            done = [call for call in self._calls if "answered" in call]
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(write_yaml({"version": 1, "calls": [*done]}), encoding="utf-8")

    def _miss(self, asked: JsonObject) -> ModelError:
        same = sum(call["asked"] == asked for call in self._calls)
        if same:
            what = f"It was recorded {same} times, and asked once more"
        elif not self._calls:
            what = "Nothing was recorded"
        else:
            each = [list(differences(asked, mapping(call["asked"]))) for call in self._calls]
            nearest = min(each, key=len)
            what = f"The nearest differs in {'; '.join(nearest[:_SHOWN])}"
            what += f"; and {len(nearest) - _SHOWN} more" if len(nearest) > _SHOWN else ""
        return ModelError(
            f"The cassette {self._file.name} has no answer to this request. {what}.",
            model=str(asked.get("model", "")),
            provider="test",
            retryable=False,
            hint="Record it anew with a model and mode='record'; "
            "with the fixture model_cassette: pytest --model-cassettes=record.",
        )


def _read(file: Path) -> list[JsonObject]:
    if not file.exists():
        return []
    read = read_yaml(file.read_text(encoding="utf-8"))
    calls = objects(mapping(read.document).get("calls"))
    if read.diagnostics or not calls or not all("asked" in call for call in calls):
        raise UsageError(f"{file.name} is no cassette.", hint="Record it anew.")
    return calls
