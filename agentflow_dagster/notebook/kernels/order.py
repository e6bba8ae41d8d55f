"""What a kernel is told at hand-over, as both ends of the line write it: JSON, a line each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

POOLED = "python3"
"""The kernel's name that the pool has ready; any other is started when it is asked for."""
INTERRUPT = b"interrupt\n"
LONGEST = 64 * 1024
"""Bytes of a line."""


@dataclass(frozen=True, slots=True)
class Order:
    """Where and within what a kernel works.

    Args:
        kernel: Its name, as Jupyter's kernel specs have it.
        folder: Where it works; "" for an empty folder of its own, gone with it.
        beside: A folder whose entries its own folder shows, as links; "" for none.
        memory_bytes: Most memory that it may take beyond what it has; None for no limit.
    """

    kernel: str = POOLED
    folder: str = ""
    beside: str = ""
    memory_bytes: int | None = None

    def to_line(self) -> bytes:
        """The order on one line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Order:
        """The inverse of `to_line`.

        Raises:
            ValueError: it is no order.
        """
        told = json.loads(line)
        if not isinstance(told, dict):
            raise ValueError("an order is an object")
        try:
            return cls(**cast("dict[str, Any]", told))
        except TypeError as problem:
            raise ValueError(str(problem)) from None


def to_line(told: JsonObject) -> bytes:
    """What a broker answers."""
    return json.dumps(told).encode() + b"\n"
