"""A diagnostic: one problem in a document, told so that its author can mend it.

Codes are stable and grouped: AF1xx the file and its fields, AF2xx expressions, AF3xx the graph,
AF4xx triggers, AF5xx secrets and environment, AF6xx notebooks, AF7xx what is unwise,
AF80x workflows and references to agents, AF85x tests in the document, AF9xx accepted but not in
force. `spec.catalogue` explains each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agentflow_dagster.spec.fixes import Fix
    from agentflow_dagster.spec.values import JsonObject

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file: 1-based line and column; in a notebook, the 0-based cell it is in."""

    line: int
    column: int = 1
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem.

    Args:
        code: Stable identifier, `AF101`.
        severity: An error stops the document from being deployed; a warning does not.
        message: What is wrong, naming the thing.
        hint: What to do about it.
        pointer: JSON pointer (RFC 6901) of the place in the document; "" is the whole document.
        file, line, column, cell: The place in the author's file, where it is known.
        fix: What mends it, where that is certain.
    """

    code: str
    severity: Severity
    message: str
    hint: str = ""
    pointer: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None
    cell: int | None = None
    fix: Fix | None = None

    def __str__(self) -> str:
        place = self.file or "<document>"
        if self.cell is not None:
            place += f":cell {self.cell + 1}"
        if self.line is not None:
            place += f":{self.line}:{self.column or 1}"
        hint = f" {self.hint}" if self.hint else ""
        return f"{place}: {self.severity} {self.code}: {self.message}{hint}"

    def at(self, file: str, position: Position | None) -> Diagnostic:
        """The same problem with its place in the author's file."""
        if position is None:
            return replace(self, file=file)
        return replace(
            self, file=file, line=position.line, column=position.column, cell=position.cell
        )

    def to_json(self) -> JsonObject:
        """The fields that `agentflow check --json` prints."""
        return {
            "code": self.code,
            "severity": self.severity,
            "file": self.file,
            "cell": self.cell,
            "line": self.line,
            "column": self.column,
            "pointer": self.pointer,
            "message": self.message,
            "hint": self.hint,
            "fix": self.fix.model_dump(mode="json", by_alias=True) if self.fix else None,
        }


def error(
    code: str, message: str, *, pointer: str = "", hint: str = "", fix: Fix | None = None
) -> Diagnostic:
    """A problem that stops the document from being used."""
    return Diagnostic(code, "error", message, hint, pointer, fix=fix)


def warning(
    code: str, message: str, *, pointer: str = "", hint: str = "", fix: Fix | None = None
) -> Diagnostic:
    """Something that works but is unwise, or is not in force."""
    return Diagnostic(code, "warning", message, hint, pointer, fix=fix)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them stops the document from being used."""
    return any(d.severity == "error" for d in diagnostics)


def pointer(*parts: str | int) -> str:
    """Builds a JSON pointer (RFC 6901)."""
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in parts)


def locate(positions: Mapping[str, Position], place: str) -> Position | None:
    """The position of a pointer, or of its nearest enclosing place that has one."""
    while place and place not in positions:
        place = place.rpartition("/")[0]
    return positions.get(place)


def nearest(name: str, candidates: Iterable[str]) -> str:
    """`Did you mean 'x'?`, or what there is to choose from."""
    import difflib

    def likeness(known: str) -> tuple[float, int]:
        alike = difflib.SequenceMatcher(None, known, name)
        return alike.ratio(), sum(a == b for a, b in zip(known, name, strict=False))

    known = sorted(candidates)
    if close := difflib.get_close_matches(name, known, n=5, cutoff=0.5):
        return f"Did you mean {max(close, key=likeness)!r}?"
    return f"Known here: {', '.join(known[:12])}." if known else ""
