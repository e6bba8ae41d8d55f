"""Checks the labelled pairs of cells by running them. README.md says what this shows.

    python benchmarks/dataflow/check_labels.py

Each half runs in a process of its own, which is ended after a minute; each pair in namespaces of
its own. Prints what is refuted, and fails if anything is.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.dataflow.pairs import HALVES, Half, Pair, pairs_of
from benchmarks.dataflow.states import NOTEBOOK, state_of

SECONDS = 60
PAIRS = 40
UNDECIDABLE = 4
"""Of each half."""

_LINES = range(2, 11)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cell did: what it printed and raised, and the states of all names around it."""

    printed: str
    raised: str | None
    began: dict[str, object]
    ended: dict[str, object]

    def differs(self, other: Outcome, *, apart: frozenset[str]) -> bool:
        """Whether the cell did something else than in the other.

        Args:
            apart: the names that were not the same when it began; of one of these it counts only
                what the cell itself made of it.
        """
        if (self.printed, self.raised) != (other.printed, other.raised):
            return True
        return any(
            self.ended.get(name) != other.ended.get(name)
            and (name not in apart or self._touched(name) or other._touched(name))
            for name in self.ended.keys() | other.ended.keys()
        )

    def _touched(self, name: str) -> bool:
        return self.began.get(name) != self.ended.get(name)


class Notebook:
    """One namespace in which cells run one after the other."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {"__name__": NOTEBOOK}

    def run(self, cell: str) -> Outcome:
        """Runs a cell. An exception ends it, and is part of what it did."""
        began = self.states()
        raised = None
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            try:
                exec(compile(cell, "cell", "exec", dont_inherit=True), self.names)  # noqa: S102 # what a kernel does
            except Exception as error:  # noqa: BLE001 # told, whatever it is
                raised = f"{type(error).__name__}: {error}"
        return Outcome(printed.getvalue(), raised, began, self.states())

    def states(self) -> dict[str, object]:
        return {name: state_of(value) for name, value in self._own().items()}

    def copies(self) -> dict[str, object]:
        """A copy of each value, taken one by one; of what cannot be copied, the value itself."""
        copies: dict[str, object] = {}
        for name, value in self._own().items():
            try:
                copies[name] = copy.deepcopy(value)
            except TypeError:
                copies[name] = value
        return copies

    def put_back(self, name: str, copies: dict[str, object]) -> None:
        if name in copies:
            self.names[name] = copies[name]
        else:
            self.names.pop(name, None)

    def identities(self) -> dict[str, int]:
        return {name: id(value) for name, value in self._own().items()}

    def _own(self) -> dict[str, object]:
        return {name: value for name, value in self.names.items() if not name.startswith("__")}


def found_reads(pair: Pair) -> tuple[tuple[str, ...], list[str]]:
    """The names through which the second cell depends on the first, as running them shows.

    Returns:
        Them, sorted, and what else is wrong with the pair.
    """
    notebook = Notebook()
    begun = notebook.run(pair.before)
    identities = notebook.identities()
    first = notebook.run(pair.first)
    touched = frozenset(
        name
        for name in first.began.keys() | first.ended.keys()
        if first.began.get(name) != first.ended.get(name)
        or identities.get(name) != notebook.identities().get(name)
    )
    second = notebook.run(pair.second)
    wrong = [f"raises {o.raised}" for o in (begun, first, second) if o.raised]
    found = tuple(
        name
        for name in sorted(touched)
        if second.differs(_put_back(pair, frozenset({name})), apart=frozenset({name}))
    )
    others = touched - set(found)
    if second.differs(_put_back(pair, others), apart=others):
        wrong.append(f"depends on {sorted(others)} together, though on none of them alone")
    if second.differs(_without_first(pair), apart=touched) != bool(found):
        wrong.append(f"without the first cell it is otherwise than the names say: {list(found)}")
    return found, wrong


def _put_back(pair: Pair, names: frozenset[str]) -> Outcome:
    """What the second does where these names are again what they were before the first."""
    notebook = Notebook()
    notebook.run(pair.before)
    copies = notebook.copies()
    notebook.run(pair.first)
    for name in names:
        notebook.put_back(name, copies)
    return notebook.run(pair.second)


def _without_first(pair: Pair) -> Outcome:
    notebook = Notebook()
    notebook.run(pair.before)
    return notebook.run(pair.second)


def refuted(half: Half) -> list[str]:
    """What does not hold of the pairs of one half, a line each."""
    found: list[str] = []
    pairs = pairs_of(half)
    for pair in pairs:
        names, wrong = found_reads(pair)
        if names != pair.reads:
            wrong.append(f"labelled {list(pair.reads)}, found {list(names)}")
        wrong += [
            f"a cell of {lines} lines"
            for cell in (pair.first, pair.second)
            if (lines := len(cell.splitlines())) not in _LINES
        ]
        found += [f"{half}/{pair.id}: {what}" for what in wrong]
    counted = (len(pairs), sum(pair.undecidable for pair in pairs))
    if counted != (PAIRS, UNDECIDABLE):
        found.append(f"{half}: {counted} pairs and undecidable ones")
    return found


def unlike() -> list[str]:
    """In what the halves are not each other's like, a line each."""
    by_half = [Counter(pair.about for pair in pairs_of(half)) for half in HALVES]
    ids = Counter(pair.id for half in HALVES for pair in pairs_of(half))
    different = by_half[0] - by_half[1] + (by_half[1] - by_half[0])
    return [f"not as often in both halves: {about}" for about in different] + [
        f"two pairs are named {name}" for name, times in ids.items() if times > 1
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks the labels.", allow_abbrev=False)
    parser.add_argument("--half", choices=HALVES, help="this one alone, in this process")
    half: Half | None = parser.parse_args().half
    if half:
        found = refuted(half)
        print("\n".join(found) or f"{half}: {PAIRS} labels hold")
        return int(bool(found))
    codes = [
        subprocess.run([sys.executable, __file__, "--half", each], check=False, timeout=SECONDS)
        for each in HALVES
    ]
    found = unlike()
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found) or any(code.returncode for code in codes))


if __name__ == "__main__":
    sys.exit(main())
