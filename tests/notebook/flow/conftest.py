"""Cells written down with the names by which the last depends on the one before it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """Cells in the order in which they would run."""

    reads: frozenset[str]
    cells: tuple[str, ...]


def read_cases() -> list[Case]:
    _, *parts = (Path(__file__).parent / "cells.txt").read_text().split("\n=== ")
    return [_case(part) for part in parts]


def _case(part: str) -> Case:
    reads, _, text = part.partition("\n")
    return Case(frozenset(reads.split()), tuple(cell + "\n" for cell in text.split("\n---\n")))
