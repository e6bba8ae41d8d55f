"""A ledger behind HTTP, which keeps one entry for each `Idempotency-Key`."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Self

from tests.support.loopback import Loopback, Received, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping


class Ledger:
    """Takes entries at `/debit` and `/credit`."""

    def __init__(self) -> None:
        self._server = Loopback({"/debit": Reply(201), "/credit": Reply(201)})

    @property
    def variables(self) -> Mapping[str, str]:
        return {"LEDGER": self._server.url}

    def calls(self, path: str) -> Counter[str]:
        """How often each entry was asked for, by its key."""
        return Counter(request.headers["idempotency-key"] for request in self._whole(path))

    def entries(self, path: str) -> Counter[int]:
        """How many entries there are for each number."""
        numbers = {r.headers["idempotency-key"]: json.loads(r.body)["n"] for r in self._whole(path)}
        return Counter(numbers.values())

    def _whole(self, path: str) -> list[Received]:
        """Requests that came to their end: who dies in the midst of one has asked for nothing."""
        return [
            request
            for request in list(self._server.requests)
            if request.path == path and int(request.headers["content-length"]) == len(request.body)
        ]

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()
