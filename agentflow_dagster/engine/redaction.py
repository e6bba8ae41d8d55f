"""Keeps secrets out of everything that is written, and what rules name out of what is shown."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, quote_plus

from agentflow_dagster.engine.redaction_rules import NO_RULES, Rules, by_key
from agentflow_dagster.spec.values import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agentflow_dagster.spec.values import JsonObject, Value

MASK = "***"
MIN_LENGTH = 6
"""Shorter values would mask ordinary text; the engine refuses them as secrets."""


_DEEPEST = 16
"""JSON within JSON doubles backslashes each time: as many for one are four levels. A bound, so that
no text makes the search long."""

_PIECES = re.compile(
    r"""(?P<percent>%[0-9A-Fa-f]{2})
      | (?P<code>(?<=\\)[uxU][0-9A-Fa-f]{2,8})
      | (?P<backslashes>\\+)
      | (?P<quoted>["'/])
      | (?P<plain>.)""",
    re.VERBOSE | re.DOTALL,
)


class Redactor:
    """Replaces secrets by `***`, also base64, URL-encoded, in hexadecimal, and escaped as in JSON,
    Python or HTML. `text` and `value` do that, for what is kept; `shown` and `shown_value` redact
    by the project's rules, too, for what people look at.

    Args:
        secrets: Values.
        rules: The project's.
    """

    def __init__(self, secrets: Iterable[str], rules: Rules = NO_RULES) -> None:
        self._rules = rules
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= MIN_LENGTH}
        pattern = "|".join(_pattern(form) for form in sorted(forms, key=len, reverse=True))
        self._text = re.compile(pattern) if forms else None
        self._bytes = re.compile(pattern.encode()) if forms else None

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._text.sub(MASK, text) if self._text else text

    @property
    def hides(self) -> bool:
        """Whether there is anything to hide."""
        return self._text is not None or bool(self._rules.rules)

    def shown(self, text: str) -> str:
        """The text without secrets, and as the rules show it."""
        return self._rules.text(self.text(text))

    def shown_value(self, value: Value) -> Value:
        """The value without secrets, and as the rules show it."""
        return self._rules.value(self.value(value))

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
                return by_key((self.text(k), self.value(v)) for k, v in value.items())
            case list():
                return [self.value(v) for v in value]
            case _:
                return value


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
    data = secret.encode("utf-8")
    yield ascii(secret)[1:-1]
    yield secret.encode("ascii", "backslashreplace").decode()
    yield repr(secret)[1:-1]
    yield html.escape(secret)
    yield data.hex()
    yield data.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(data).decode().rstrip("=")
        for shift in range(3):
            yield _aligned(encode(b"\0" * shift + data).decode(), shift, len(data))


def _pattern(form: str) -> str:
    """A regular expression for the form, and for it as a text within a text, quoted any way."""
    return "".join(_piece(found) for found in _PIECES.finditer(form))


def _piece(found: re.Match[str]) -> str:
    text = found[0]
    match found.lastgroup:
        case "percent" | "code":
            return f"(?i:{text})"
        case "backslashes":
            return rf"\\{{{len(text)},{len(text) * _DEEPEST}}}"
        case "quoted":
            return rf"\\{{0,{_DEEPEST - 1}}}{text}"
        case _:
            return re.escape(text)


def _aligned(encoded: str, shift: int, length: int) -> str:
    """The characters of base64 that depend on the secret alone, `shift` bytes into a group."""
    first = -(-shift * 8 // 6)
    last = (shift + length) * 8 // 6
    return encoded[first:last]
