"""JSON as the stores write it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonValue

# Made once: to make one takes as long as to encode a step's output.
_PLAIN = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ESCAPED = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def dump(value: JsonValue) -> str:
    """Compact JSON that is valid UTF-8, keys in their order.

    A lone surrogate (half of a character, which UTF-8 does not have) is escaped and so comes back
    as it was; two that make a character come back as that character.

    Raises:
        ValueError: the value has NaN or an infinity, which `split` would have set apart.
    """
    text = _PLAIN.encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _ESCAPED.encode(value)
    return text


def storable(text: str) -> str:
    """The text as PostgreSQL can hold it: no zero character, no half of one."""
    return text.replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode("utf-8")
