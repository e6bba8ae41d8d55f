"""Slips of an author's pen: a change of the sample's text, and what is then to be said of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.documents import SAMPLE, placed


@dataclass(frozen=True)
class Slip:
    """One change.

    Args:
        old, new: What is changed in the sample's text.
        code, pointer: Of the one error that follows.
        at: What stands at the line and column that it names.
        message, hint: Parts of what it says.
    """

    old: str
    new: str
    code: str
    pointer: str
    at: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.code} {self.new[:30]}"


def is_told(slip: Slip) -> None:
    """Asserts that a slip is told as it should be, and nothing else is."""
    assert slip.old in SAMPLE
    text = SAMPLE.replace(slip.old, slip.new)
    (found,) = [d for d in placed(text) if d.severity == "error"]
    assert (found.code, found.pointer) == (slip.code, slip.pointer)
    assert slip.message in found.message
    assert slip.hint in found.hint
    assert found.line is not None
    assert found.column is not None
    assert text.splitlines()[found.line - 1][found.column - 1 :].startswith(slip.at)
