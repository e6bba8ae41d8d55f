"""What a call is expected to take: models are compared by it, and estimates are made of it.

It is no bound (that is `pricing.py`'s): prices are those that are usually asked for a call of its
size, not the highest that might be.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agentflow_dagster.models.pricing import bytes_of

if TYPE_CHECKING:
    from decimal import Decimal

    from agentflow_dagster.models.catalogue import Entry
    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.spec.values import JsonValue

_BYTES_PER_TOKEN = 4
_USUAL_OUTPUT = 500
"""Tokens of an answer of which nothing is known."""
_OPEN = _USUAL_OUTPUT * _BYTES_PER_TOKEN
_NUMBER = 8
_AROUND = 6
"""Bytes of a number, and of what stands around a property in JSON."""


def tokens_of(request: ModelRequest) -> int:
    """Tokens of input that a call is expected to have."""
    return bytes_of(request) // _BYTES_PER_TOKEN


def expected_output(request: ModelRequest) -> int:
    """Tokens that an answer is expected to have: what its schema leaves room for where that is
    little, and no more than the call allows."""
    expected = _USUAL_OUTPUT
    if request.output_schema is not None and not request.tools:
        expected = min(expected, _longest(request.output_schema) // _BYTES_PER_TOKEN + 1)
    return min(request.max_tokens or expected, expected)


def expected_usd(request: ModelRequest, entry: Entry) -> Decimal | None:
    """What a call may be expected to cost; None where the model's prices are not known."""
    return entry.usd(tokens_of(request), expected_output(request))


def _longest(schema: JsonValue) -> int:
    """Bytes of the longest reply that a schema allows; `_OPEN` where it sets no limit."""
    match schema:
        case {"const": value}:
            return len(json.dumps(value))
        case {"enum": [_, *_] as values}:
            return max(len(json.dumps(value)) for value in values)
        case {"anyOf": [_, *_] as kinds}:
            return max(map(_longest, kinds))
        case {"type": "boolean" | "integer" | "null" | "number"}:
            return _NUMBER
        case {"type": "object", "properties": dict() as fields, "additionalProperties": False}:
            return sum(len(name) + _AROUND + _longest(said) for name, said in fields.items())
        case _:
            return _OPEN
