"""How well what cells take from each other is found, on 80 labelled pairs of cells.

    python benchmarks/dataflow_accuracy.py [--failing]

What a label means, and how it is counted, is in dataflow/README.md. Of the text alone, of what
ipyflow saw when the cells ran, and of both together, as the wiring of a notebook takes them.
`--failing` names the pairs of the tuning half that are not found as labelled; those of the held-out
half are shown to nobody. Prints a table, and writes `results.json` and docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

sys.path.insert(0, str(Path(__file__).parent.parent))
from agentflow_dagster.notebook.flow.links import follow
from agentflow_dagster.notebook.seen_names import could_read
from benchmarks.dataflow.live import live_notebook
from benchmarks.dataflow.pairs import HALVES, Half, Pair, pairs_of
from benchmarks.results import record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentflow_dagster.notebook.seen import Seen

Way: TypeAlias = Literal["static", "ipyflow", "both"]
WAYS: tuple[Way, ...] = ("static", "ipyflow", "both")
FIRST, SECOND = 1, 2


@dataclass(frozen=True, slots=True)
class Found:
    """What the analysis makes of one pair.

    Args:
        pair: The pair.
        reads: The names that the second cell takes from the first, by how they are found.
        doubts: Whether it says that it cannot know.
    """

    pair: Pair
    reads: dict[Way, frozenset[str]]
    doubts: bool


def find(pair: Pair, seen: Seen) -> Found:
    """What the text of a pair says, what was seen, and what both say together."""
    links = follow((pair.before, pair.first, pair.second))
    text = frozenset(links.taken(FIRST, SECOND))
    raw = frozenset[str]().union(
        *(e.made | e.changed for e in seen.edges if (e.maker, e.reader) == (FIRST, SECOND))
    )
    both = text | could_read(raw, SECOND, links)
    doubts = any(links.blind(cell) for cell in range(3))
    return Found(pair, {"static": text, "ipyflow": raw, "both": both}, doubts)


def shares(found: Iterable[Found], way: Way) -> dict[str, float]:
    """Precision and recall, of edges and of pairs, without those that nobody can decide."""
    decidable = [(one.reads[way], set(one.pair.reads)) for one in found if not one.pair.undecidable]
    right = sum(len(got & wanted) for got, wanted in decidable)
    depend = sum(bool(got) and bool(wanted) for got, wanted in decidable)
    return {
        "precision": right / sum(len(got) for got, _ in decidable),
        "recall": right / sum(len(wanted) for _, wanted in decidable),
        "pair_precision": depend / sum(bool(got) for got, _ in decidable),
        "pair_recall": depend / sum(bool(wanted) for _, wanted in decidable),
    }


def measured(half: Half, found: list[Found]) -> dict[str, float]:
    """The figures of one half, by the names that `results.json` has for them."""
    begin = "notebook.dataflow" + ("" if half == "held_out" else "_tuning")
    told: dict[str, float] = {}
    for way in WAYS:
        for name, share in shares(found, way).items():
            told[f"{begin}_{name}" if way == "both" else f"{begin}_{way}_{name}"] = share
    undecidable = [one for one in found if one.pair.undecidable]
    known = [one.doubts or one.reads["both"] == frozenset(one.pair.reads) for one in undecidable]
    told[f"{begin}_undecidable_told_or_right"] = sum(known) / len(known)
    return {name: round(share, 3) for name, share in told.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Counts what the analysis of cells finds.")
    parser.add_argument("--failing", action="store_true", help="name what is not as labelled")
    failing = parser.parse_args().failing
    load = os.getloadavg()[0]
    figures: dict[str, float] = {}
    with live_notebook() as notebook:
        for half in HALVES:
            found = [find(pair, notebook.seen(pair)) for pair in pairs_of(half)]
            figures |= measured(half, found)
            if failing and half == "tuning":
                _print_failing(found)
    for name, share in figures.items():
        print(f"{name:48} {share:>6}")
    record(figures, load=load)


def _print_failing(found: Iterable[Found]) -> None:
    for one in found:
        for way, reads in one.reads.items():
            if not one.pair.undecidable and reads != frozenset(one.pair.reads):
                print(f"{way:8} {one.pair.id}: {sorted(reads)}, not {list(one.pair.reads)}")


if __name__ == "__main__":
    main()
