"""Estimates how hard a call is, from what it asks, where nobody says.

An estimate by what can be seen: it looks at the shape of the call and at words of the request, not
at their meaning. Where it matters, say it in `llm.needs`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.spec.values import JsonValue

Complexity = Literal["low", "medium", "high"]

_HARD = re.compile(
    r"\b(?:prove|derive|plan|design|architect\w*|refactor|debug|diagnos\w+|step[- ]by[- ]step"
    r"|reason\w*|trade-?offs?|critique|legal|contract|medical|strateg\w+|root cause"
    r"|multi-?step|optimi[sz]e|negotiat\w+|theorem|algorithm|hypothes\w+)\b"
)
_MIDDLING = re.compile(
    r"\b(?:explain|compare|write|draft|reply|rewrite|analy[sz]e|code|function|sql|why|recommend"
    r"|essay|story|review|evaluate|argue)\b"
)
_LONG, _VERY_LONG = 12_000, 60_000
_INSTRUCTIONS = 4_000
"""Characters of a request that are looked at: the instructions stand at its beginning."""


def complexity(request: ModelRequest) -> Complexity:
    """How hard a call is."""
    # Small letters: to ignore their case takes the patterns four times as long.
    said = " ".join(message.content[:_INSTRUCTIONS] for message in request.messages).lower()
    size = sum(len(message.content) for message in request.messages)
    points = 2 * min(2, len(_HARD.findall(said))) + min(2, len(_MIDDLING.findall(said)))
    points += (size > _LONG) + (size > _VERY_LONG)
    points += 2 * bool(request.tools) + bool(any(m.images for m in request.messages))
    if request.output_schema is not None:
        # A closed form guides: what fills a few fields is easy, what nests is not.
        points += -1 if _fields(request.output_schema) <= 8 else 1
    return "low" if points <= 0 else "medium" if points <= 3 else "high"


def _fields(schema: JsonValue) -> int:
    """How many properties a JSON Schema has, at all depths."""
    if isinstance(schema, list):
        return sum(_fields(part) for part in schema)
    if not isinstance(schema, dict):
        return 0
    own = schema.get("properties")
    count = len(own) if isinstance(own, dict) else 0
    return count + sum(_fields(cast("JsonValue", part)) for part in schema.values())
