"""A glued value as a notebook holds it: a mime type of an output, JSON with parts in base64."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.spec.values import Part, join, split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.values import JsonObject, Value

GLUE = "application/vnd.agentflow.glue+json"


def to_output(name: str, value: Value) -> JsonObject:
    """What stands under the mime type."""
    body, parts = split(value)
    told: JsonObject = {
        key: {
            "media_type": part.media_type,
            "summary": dict(part.summary),
            "data": base64.b64encode(part.data).decode(),
        }
        for key, part in parts.items()
    }
    return {"name": name, "value": body, "parts": told}


def from_output(told: Mapping[str, object]) -> tuple[str, Value]:
    """The name and the value; the inverse of `to_output`.

    Raises:
        ValueError: it is none, or its parts were left out.
    """
    given = cast("Mapping[str, Any]", told)
    try:
        parts = {
            key: Part(part["media_type"], base64.b64decode(part["data"]), part["summary"])
            for key, part in given["parts"].items()
        }
        return str(given["name"]), join(given["value"], parts)
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"This is no glued value: {problem!r}.") from None


def without_data(told: Mapping[str, object]) -> JsonObject:
    """The same with no more of its parts than what they are."""
    given = cast("Mapping[str, Any]", told)
    parts = {
        key: {name: part[name] for name in ("media_type", "summary")}
        for key, part in given["parts"].items()
    }
    return {"name": given["name"], "value": given["value"], "parts": cast("JsonObject", parts)}
