"""One diagnostic as it is explained, whatever document it is found in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentflow_dagster.spec.diagnostics import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a code means. The texts are Markdown, on one line each.

    Args:
        code: `AF101`; it keeps its meaning for ever.
        means: What is wrong.
        example: What an author would have written.
        advice: What to do about it.
        severity: Whether it stops a deployment.
    """

    code: str
    means: str
    example: str
    advice: str
    severity: Severity = "error"
