"""Values on their way into CEL and out of it.

An expression sees tables and bytes as their summaries, each with a mark by which it is found again
in the result; so a table goes through `has(a.output) ? a.output : null` whole.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.spec.values import BYTES, Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.values import Value

_INT64 = 2**63


class Shown:
    """What one evaluation sees, in `data`, and the way back."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        # Nobody can write the mark into a document or an input: it is new for each evaluation.
        self._mark = f"part-{secrets.token_hex(8)}"
        self._parts: list[Part] = []
        self.data: dict[str, Any] = {name: self._show(value) for name, value in values.items()}

    def value_of(self, result: object) -> Value:
        """A result as a Value; what JSON does not know is told as CEL's JSON mapping tells it."""
        match result:
            case dict():
                found = cast("dict[object, object]", result)
                if self._mark in found:
                    return self._parts[cast("int", found[self._mark])]
                return {_key(key): self.value_of(value) for key, value in found.items()}
            case list():
                return [self.value_of(item) for item in cast("list[object]", result)]
            case bytes() | bytearray():
                return Part(BYTES, bytes(result), {"bytes": len(result)})
            case datetime():
                return result.isoformat().replace("+00:00", "Z")
            case timedelta():
                return f"{result.total_seconds():g}s"
            case None | bool() | int() | float() | str():
                return result
            case _:
                return str(result).lower()

    def _show(self, value: Value) -> Any:
        match value:
            case Part():
                self._parts.append(value)
                return {**value.summary, self._mark: len(self._parts) - 1}
            case dict():
                return {_text(key): self._show(inner) for key, inner in value.items()}
            case list():
                return [self._show(inner) for inner in value]
            case int() if not -_INT64 <= value < _INT64:
                return float(value) if abs(value) < 1 << 1023 else float("inf")
            case str():
                return _text(value)
            case _:
                return value


def _key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _text(text: str) -> str:
    """CEL takes whole characters only."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
