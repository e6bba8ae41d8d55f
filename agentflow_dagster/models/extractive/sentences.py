"""Cuts a text into sentences."""

from __future__ import annotations

import re

MAX_SENTENCES = 400
"""Most sentences of one text that are looked at; later ones are left out (1.5 ms each)."""

_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"')\]]))\s+(?=[\"'(\[]?[A-Z0-9`*-])")
_ABBREVIATION = re.compile(r"\b(?:(?i:e\.g|i\.e|etc|vs|cf|approx|mr|mrs|ms|dr)|[A-Z])\.$")
_BULLET = re.compile(r"^\s*(?:[-*•>]+|\d+[.)])\s+")


def sentences(text: str) -> list[str]:
    """The sentences in order, without bullets and quote marks at their beginnings.

    A line that ends without a stop ends a sentence where a blank line or a bullet follows.
    """
    found: list[str] = []
    for paragraph in _paragraphs(text):
        pending = ""
        for piece in _END.split(paragraph):
            pending = f"{pending} {piece}".strip()
            if _ABBREVIATION.search(pending):
                continue
            found.append(pending)
            pending = ""
        if pending:
            found.append(pending)
        if len(found) >= MAX_SENTENCES:
            break
    return [s for s in found if any(c.isalnum() for c in s)][:MAX_SENTENCES]


def opening(sentence: str) -> str:
    """The first five words: where a sentence shows whether it asks, reports or wishes."""
    return " ".join(sentence.split()[:5])


def _paragraphs(text: str) -> list[str]:
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if not line.strip():
            blocks.append([])
        elif _BULLET.match(line):
            blocks.append([_BULLET.sub("", line)])
        else:
            blocks[-1].append(line)
    return [" ".join(" ".join(block).split()) for block in blocks if block]
