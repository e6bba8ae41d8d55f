"""Amounts as authors write them: durations (`250ms`, `1h30m`), memory (`512Mi`), cores (`200m`)."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WHOLE = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|[smhd]))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhd])")
_MAX_SECONDS = 366 * 86400.0


class NotAnAmount(ValueError):
    """A text that is no duration (AF119) or no quantity (AF120).

    Args:
        message: What is wrong.
        code: Of the diagnostic.
        instead: What its author will have meant, where that is certain.
    """

    def __init__(self, message: str, *, code: str, instead: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.instead = instead


def seconds(text: str) -> float:
    """The length in seconds.

    Raises:
        ValueError: not a duration, zero, or longer than 366 days.
    """
    if len(text) > 32 or not _WHOLE.fullmatch(text):
        message = f"{text[:40]!r} is not a duration; write 500ms, 30s, 5m, 2h or 1h30m"
        raise NotAnAmount(message, code="AF119", instead=_duration_meant(text))
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if not 0 < total <= _MAX_SECONDS:
        raise NotAnAmount(f"{text!r} is not between 1ms and 366 days", code="AF119")
    return total


def _checked(text: str) -> str:
    seconds(text)
    return text


_LONG_UNITS = {
    **dict.fromkeys(("sec", "secs", "second", "seconds", "s"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "m"), "m"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours", "h"), "h"),
    **dict.fromkeys(("day", "days", "d"), "d"),
    **dict.fromkeys(("msec", "millisecond", "milliseconds", "ms"), "ms"),
}
_SPELLED = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+) ?([A-Za-z]*)")


def _duration_meant(text: str) -> str | None:
    """`30s` of `30`, `30 s` or `30 seconds`; None where it may be anything else."""
    match = _SPELLED.fullmatch(text.strip()) if len(text) <= 32 else None
    unit = _LONG_UNITS.get(match[2].lower() or "s") if match else None
    if match is None or unit is None:
        return None
    return f"{'0' if match[1].startswith('.') else ''}{match[1]}{unit}"


def _plain_number(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        meant = f"{value}s" if _WHOLE.fullmatch(f"{value}s") else None
        message = f"{value!r} has no unit; write '{value}s' for seconds"
        raise NotAnAmount(message, code="AF119", instead=meant)
    return value


Duration = Annotated[
    str,
    BeforeValidator(_plain_number),
    AfterValidator(_checked),
    Field(examples=["30s", "5m"], json_schema_extra={"pattern": f"^{_WHOLE.pattern}$"}),
]
"""Kept as its author wrote it, so that documents round-trip; `seconds` reads it."""


_BYTES = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "k": 1000, "M": 1000**2, "G": 1000**3, "": 1}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(Ki|Mi|Gi|k|M|G|)")
_MAX_BYTES = 1024**4


def quantity_bytes(text: str) -> int:
    """A Kubernetes quantity of memory (`512Mi`, `1Gi`) in bytes.

    Raises:
        ValueError: not a quantity, less than a byte, or more than 1024Gi.
    """
    match = _QUANTITY.fullmatch(text) if len(text) <= 32 else None
    if match is None:
        message = f"{text[:40]!r} is not a quantity; write 256Mi, 512Mi or 1Gi"
        raise NotAnAmount(message, code="AF120", instead=_quantity_meant(text))
    size = float(match[1]) * _BYTES[match[2]]
    if not 1 <= size <= _MAX_BYTES:
        raise NotAnAmount(f"{text!r} is not between 1 byte and 1024Gi", code="AF120")
    return int(size)


_BYTE_UNITS = {"kb": "k", "mb": "M", "gb": "G", "kib": "Ki", "mib": "Mi", "gib": "Gi"}


def _quantity_meant(text: str) -> str | None:
    """`512M` of `512 MB`; None where it may be anything else."""
    match = _SPELLED.fullmatch(text.strip()) if len(text) <= 32 else None
    unit = _BYTE_UNITS.get(match[2].lower(), match[2]) if match else ""
    meant = f"{match[1]}{unit}" if match else ""
    return meant if _QUANTITY.fullmatch(meant) else None


def _checked_quantity(text: str) -> str:
    quantity_bytes(text)
    return text


Quantity = Annotated[
    str,
    AfterValidator(_checked_quantity),
    Field(examples=["512Mi", "1Gi"], json_schema_extra={"pattern": f"^{_QUANTITY.pattern}$"}),
]


_CORES = re.compile(r"[0-9]+m|[0-9]+(?:\.[0-9]+)?")
_MAX_CORES = 1024.0


def cores(text: str) -> float:
    """A Kubernetes quantity of processor time (`200m`, `2`) in cores.

    Raises:
        ValueError: not such a quantity, zero, or more than 1024 cores.
    """
    if len(text) > 32 or not _CORES.fullmatch(text):
        message = f"{text[:40]!r} is not an amount of cores; write 200m, 500m or 2"
        raise NotAnAmount(message, code="AF120")
    amount = float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)
    if not 0 < amount <= _MAX_CORES:
        raise NotAnAmount(f"{text!r} is not between 1m and 1024 cores", code="AF120")
    return amount


def _checked_cores(text: str) -> str:
    cores(text)
    return text


def _quoted_cores(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        message = f"{value!r} is a number; write '{value}' in quotes, or in thousandths"
        raise NotAnAmount(message, code="AF120", instead=str(value))
    return value


Cores = Annotated[
    str,
    BeforeValidator(_quoted_cores),
    AfterValidator(_checked_cores),
    Field(examples=["200m", "2"], json_schema_extra={"pattern": f"^(?:{_CORES.pattern})$"}),
]
"""Kept as its author wrote it; `cores` reads it."""
