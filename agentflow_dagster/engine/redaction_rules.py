"""Rules by which what is shown of data is redacted: in previews, logs, errors, checks, live text.

A rule of a project's is evaluated by RE2, which reads a text once whatever its pattern; so no text
and no rule can make it long. Of the built-in ones those with a checksum are Python's, with bounded
repeats, to spare what only looks alike.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.spec.values import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agentflow_dagster.spec.values import JsonObject, Value

LONGEST_PATTERN = 1_000
LONGEST_SHOWN = 100_000
"""Characters of a text that are looked through, and so shown, where there are rules."""
_AT = re.compile(r"@|%40")
_LOCAL = re.compile(r"[\w.%+\-]{1,320}\Z")
_HOST = re.compile(r"[\w\-]+(?:\.[\w\-]+)+")
_LONGEST_LOCAL = 320
# With a country's code or in brackets and groups: plain digits are numbers of anything.
_PHONE = re.compile(
    r"(?:\+|(?<![\w.])00)[1-9](?:[ ().\-/]{0,3}[0-9]){6,14}(?![0-9])"
    r"|\([0-9]{2,5}\)[ .\-]?[0-9]{2,5}(?:[ .\-]?[0-9]{2,5}){1,3}(?![0-9])"
    r"|(?<![\w.\-])[0-9]{3}[ .\-][0-9]{3}[ .\-][0-9]{4}(?![\w\-])"
)
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![\w.])(?:{_BYTE}\.){{3}}{_BYTE}(?![\w])(?!\.[0-9])")
_CARD_BEGINS = re.compile(r"(?<![0-9])(?<![0-9][.,])[0-9]{3,19}(?![0-9])")
_CARD = re.compile(r"[0-9]{3,19}(?:[ .\-][0-9]{3,19}){0,5}(?![0-9])")
_IBAN_BEGINS = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}")
_IBAN = re.compile(r"[A-Za-z]{2}[0-9]{2}(?:[ \-]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_APART = " .-"
_DIGITS_OF = str.maketrans({c: str(int(c, 36)) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"})
_ESCAPE = re.compile(r"(?<!\\)\\+u00([2-7][0-9A-Fa-f])")
BUILT_IN = ("card", "iban", "phone", "email", "ipv4")
_CHECKED = {"card", "iban"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What is shown as `[name]`.

    Args:
        name: A built-in rule's, or one of the project's own.
        pattern: Of RE2; "" for a built-in rule.

    Raises:
        ValueError: there is no such rule, or the pattern is none; the message says why.
    """

    name: str
    pattern: str = ""

    def __post_init__(self) -> None:
        if not self.pattern:
            if self.name not in BUILT_IN:
                known = ", ".join(BUILT_IN)
                raise ValueError(f"there is no built-in rule {self.name!r}: write {known}")
            return
        if len(self.pattern) > LONGEST_PATTERN:
            raise ValueError(f"a pattern has at most {LONGEST_PATTERN:,} characters")
        if _replaced("", self.pattern, "x"):
            raise ValueError(f"the pattern of {self.name!r} matches where nothing stands")

    def shown(self, text: str) -> str:
        """The text with what the rule finds in it as `[name]`."""
        mask = f"[{self.name}]"
        if self.pattern:
            return _replaced(text, self.pattern, mask)
        return _built_in(self.name, text, mask)


@dataclass(frozen=True, slots=True)
class Rules:
    """A project's rules, in order."""

    rules: tuple[Rule, ...] = ()

    def text(self, text: str) -> str:
        """A text as it is shown."""
        if not self.rules or not text:
            return text
        left_out = len(text) - LONGEST_SHOWN
        text = _without_escapes(text[:LONGEST_SHOWN])
        # Those with a checksum first: they find less, and a part of an IBAN is like a number.
        for rule in sorted(self.rules, key=lambda rule: rule.name not in _CHECKED):
            text = rule.shown(text)
        return text if left_out <= 0 else f"{text}… ({left_out:,} more characters)"

    def value(self, value: Value) -> Value:
        """A value as it is shown: keys and numbers are looked at, too. Of parts it is what is
        known of them, their data is left out."""
        if not self.rules:
            return value
        match value:
            case str():
                return self.text(value)
            case bool():
                return value
            case int() | float():
                shown = self.text(str(value)) if math.isfinite(value) else str(value)
                return value if shown == str(value) else shown
            case Part():
                summary = self.value(cast("Value", dict(value.summary)))
                return Part(value.media_type, b"", cast("JsonObject", summary))
            case dict():
                return by_key((self.text(key), self.value(inner)) for key, inner in value.items())
            case list():
                return [self.value(inner) for inner in value]
            case _:
                return value


NO_RULES = Rules()


def by_key(items: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """An object of redacted keys; those that look alike are numbered, so that none is lost."""
    found: dict[str, Value] = {}
    seen = Counter[str]()
    for key, value in items:
        alike = key
        while alike in found:
            seen[key] += 1
            alike = f"{key} ({seen[key] + 1})"
        found[alike] = value
    return found


def _without_escapes(text: str) -> str:
    """Letters, digits and signs as they are where JSON has escaped them: an `@` as `u0040`."""
    if "\\u00" not in text:
        return text
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


def _replaced(text: str, pattern: str, mask: str) -> str:
    """By RE2, as Arrow has it.

    Raises:
        ValueError: the pattern is none of RE2's.
    """
    import pyarrow as pa

    compute = _compute()
    # Half a character has no UTF-8.
    given = pa.scalar(text.encode("utf-8", "replace").decode(), pa.large_string())
    try:
        done = compute.replace_substring_regex(given, pattern=pattern, replacement=mask)
    except pa.ArrowInvalid as problem:
        raise ValueError(str(problem).removeprefix("Invalid regular expression: ")) from None
    return str(done.as_py())


@lru_cache(maxsize=1)
def _compute() -> Any:
    import pyarrow.compute

    return pyarrow.compute


def _built_in(name: str, text: str, mask: str) -> str:
    match name:
        case "card":
            return _sound(text, mask, _CARD_BEGINS, _CARD, _is_card)
        case "iban":
            return _sound(text, mask, _IBAN_BEGINS, _IBAN, _is_iban)
        case "email":
            return _emails(text, mask)
        case _:
            return (_PHONE if name == "phone" else _IPV4).sub(mask, text)


def _emails(text: str, mask: str) -> str:
    done: list[str] = []
    at = 0
    for sign in _AT.finditer(text):
        host = _HOST.match(text, sign.end())
        near = text[max(at, sign.start() - _LONGEST_LOCAL) : sign.start()]
        local = _LOCAL.search(near)
        if sign.start() < at or host is None or local is None:
            continue
        done += [text[at : sign.start() - len(local[0])], mask]
        at = host.end()
    return "".join((*done, text[at:]))


def _sound(
    text: str,
    mask: str,
    begins: re.Pattern[str],
    whole: re.Pattern[str],
    is_sound: Callable[[str], bool],
) -> str:
    """Masks what has a sound checksum: from each place where one may begin, the longest that ends
    where a group does. What follows or goes before in the same form is no part of it."""
    done: list[str] = []
    at = 0
    for start in begins.finditer(text):
        if start.start() < at or (found := whole.match(text, start.start())) is None:
            continue
        for end in range(found.end(), found.start(), -1):
            if end < found.end() and text[end] not in _APART:
                continue
            if is_sound(text[found.start() : end]):
                done += [text[at : found.start()], mask]
                at = end
                break
    return "".join((*done, text[at:]))


def _is_card(text: str) -> bool:
    """By Luhn's formula."""
    digits = [int(c) for c in reversed(text) if c not in _APART]
    if not 13 <= len(digits) <= 19:
        return False
    return not (sum(digits[::2]) + sum(d * 2 - 9 * (d > 4) for d in digits[1::2])) % 10


def _is_iban(text: str) -> bool:
    """By ISO 7064, modulo 97."""
    plain = text.upper().replace(" ", "").replace("-", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int((plain[4:] + plain[:4]).translate(_DIGITS_OF)) % 97 == 1
