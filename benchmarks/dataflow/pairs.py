"""The labelled pairs of cells, read from their files. README.md says what a label means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Half = Literal["tuning", "held_out"]
HALVES: tuple[Half, ...] = ("tuning", "held_out")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cells, and the names through which the second depends on the first.

    Args:
        about: its category, which both halves hold as often.
        before: a cell that runs before the two and belongs to neither; may be empty.
        reads: the label, sorted.
        why: what makes the label so, in a sentence.
        undecidable: no analysis can know for sure; counted apart.
    """

    id: str
    about: str
    first: str
    second: str
    reads: tuple[str, ...]
    why: str
    before: str = ""
    undecidable: bool = False


def path_of(half: Half) -> Path:
    return Path(__file__).parent / f"{half}.yaml"


def pairs_of(half: Half) -> tuple[Pair, ...]:
    """The pairs of one half, in the order of their file.

    Raises:
        TypeError: a pair has a key that is not known, or lacks one.
    """
    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="safe", pure=True)
    return tuple(_pair(**entry) for entry in yaml.load(path_of(half)))


def _pair(*, reads: list[str], **others: Any) -> Pair:
    return Pair(reads=tuple(reads), **others)
