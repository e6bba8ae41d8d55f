"""Keeps secrets out of everything that is written: outputs, errors, logs, metadata."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, quote_plus

from agentflow_dagster.spec.values import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agentflow_dagster.spec.values import JsonObject, Value

MASK = "***"
MIN_LENGTH = 6
"""Shorter values would mask ordinary text; the engine refuses them as secrets."""


_LOWER_CASE = re.compile(r"%[0-9A-F]{2}")


class Redactor:
    """Replaces secrets, also base64, URL-encoded, JSON-escaped or in hexadecimal, by `***`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= MIN_LENGTH}
        longest_first = sorted(forms, key=len, reverse=True)
        self._text = re.compile("|".join(map(re.escape, longest_first))) if forms else None
        self._bytes = (
            re.compile(b"|".join(re.escape(f.encode("utf-8")) for f in longest_first))
            if forms
            else None
        )

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._text.sub(MASK, text) if self._text else text

    def value(self, value: Value) -> Value:
        """The value without secrets; in tables and bytes they are starred out in place."""
        if self._bytes is None:
            return value
        match value:
            case str():
                return self.text(value)
            case Part():
                data = self._bytes.sub(lambda m: b"*" * len(m[0]), value.data)
                summary = {k: self.value(cast("Value", v)) for k, v in value.summary.items()}
                return Part(value.media_type, data, cast("JsonObject", summary))
            case dict():
                return {self.text(k): self.value(v) for k, v in value.items()}
            case list():
                return [self.value(v) for v in value]
            case _:
                return value


def _forms(secret: str) -> Iterator[str]:
    yield secret
    for escaped in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield escaped
        yield _LOWER_CASE.sub(lambda match: match[0].lower(), escaped)
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
    data = secret.encode("utf-8")
    yield data.hex()
    yield data.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(data).decode().rstrip("=")
        for shift in range(3):
            yield _aligned(encode(b"\0" * shift + data).decode(), shift, len(data))


def _aligned(encoded: str, shift: int, length: int) -> str:
    """The characters of base64 that depend on the secret alone, `shift` bytes into a group."""
    first = -(-shift * 8 // 6)
    last = (shift + length) * 8 // 6
    return encoded[first:last]
