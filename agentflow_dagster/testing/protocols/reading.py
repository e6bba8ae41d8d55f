"""Reads JSON of others: what is not of the shape that is looked for counts as absent."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING

from agentflow_dagster.ports.model import Image

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue


def mapping(value: JsonValue) -> JsonObject:
    """The object that it is, or {}."""
    return value if isinstance(value, dict) else {}


def objects(value: JsonValue) -> list[JsonObject]:
    """The objects of the list that it is."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: JsonValue) -> str:
    """The text that it is, or ""."""
    return value if isinstance(value, str) else ""


def whole_number(value: JsonValue) -> int | None:
    """The whole number that it is."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: JsonValue) -> float | None:
    """The number that it is."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def parsed(said: str) -> JsonObject:
    """The object that a text holds, or {}."""
    try:
        return mapping(json.loads(said))
    except json.JSONDecodeError:
        return {}


def image(media_type: str, encoded: str) -> Image:
    """A picture of base64; without bytes where it is none."""
    try:
        return Image(media_type, base64.b64decode(encoded, validate=True))
    except binascii.Error:
        return Image(media_type, b"")


def data_url(url: str) -> Image:
    """The picture that a data URL holds."""
    head, _, encoded = url.partition(",")
    return image(head.removeprefix("data:").removesuffix(";base64"), encoded)
