"""How well the analysis of cells finds what one takes from another, on 80 labelled pairs.

    python benchmarks/dataflow_accuracy.py [--failing]

What a label means, and how it is counted, is in dataflow/README.md. Of the text alone, as it is
analysed where no kernel has seen the cells run. `--failing` names the pairs of the tuning half that
are not found as labelled; those of the held-out half are shown to nobody. Prints a table and one
line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))
from agentflow_dagster.notebook.dataflow import analyse
from benchmarks.dataflow.pairs import HALVES, Pair, pairs_of

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Found:
    """What the analysis makes of one pair.

    Args:
        pair: The pair.
        reads: The names that the second cell takes from the first.
        doubts: Whether it says that it cannot know.
    """

    pair: Pair
    reads: frozenset[str]
    doubts: bool


def found(pair: Pair) -> Found:
    """Analyses the two cells, each by itself, and puts together what they do."""
    first, second = analyse(pair.first), analyse(pair.second)
    made = first.defines.keys() | first.mutates.keys()
    asked = second.reads.keys() | second.perhaps.keys() | second.builtins.keys()
    return Found(pair, frozenset(made & asked), bool(first.unknown or second.unknown))


def shares(found: Iterable[Found]) -> dict[str, float]:
    """Precision and recall, of edges and of pairs, without those that nobody can decide."""
    decidable = [(one.reads, set(one.pair.reads)) for one in found if not one.pair.undecidable]
    right = sum(len(got & wanted) for got, wanted in decidable)
    depend = sum(bool(got) and bool(wanted) for got, wanted in decidable)
    return {
        "precision": right / sum(len(got) for got, _ in decidable),
        "recall": right / sum(len(wanted) for _, wanted in decidable),
        "pair_precision": depend / sum(bool(got) for got, _ in decidable),
        "pair_recall": depend / sum(bool(wanted) for _, wanted in decidable),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Counts what the analysis of cells finds.")
    parser.add_argument("--failing", action="store_true", help="name what is not as labelled")
    failing = parser.parse_args().failing
    told: dict[str, float] = {}
    for half in HALVES:
        all_found = [found(pair) for pair in pairs_of(half)]
        counted = {f"text.{half}.{name}": share for name, share in shares(all_found).items()}
        told |= {name: round(share, 3) for name, share in counted.items()}
        undecidable = [one for one in all_found if one.pair.undecidable]
        doubted = sum(one.doubts for one in undecidable)
        told[f"text.{half}.undecidable_told"] = round(doubted / len(undecidable), 3)
        if failing and half == "tuning":
            for one in all_found:
                if not one.pair.undecidable and one.reads != frozenset(one.pair.reads):
                    print(f"{one.pair.id}: {sorted(one.reads)}, not {list(one.pair.reads)}")
    for name, share in told.items():
        print(f"{name:34} {share:>6}")
    print(json.dumps({"dataflow": told}))


if __name__ == "__main__":
    main()
