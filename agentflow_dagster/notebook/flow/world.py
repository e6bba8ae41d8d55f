"""All cells of a notebook at once: what each leaves to the others."""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

from agentflow_dagster.notebook.dataflow import analyse
from agentflow_dagster.notebook.flow.heap import Exhausted
from agentflow_dagster.notebook.flow.interpreter import Interpreter
from agentflow_dagster.notebook.flow.objects import Member, Obj, Value
from agentflow_dagster.notebook.names import CellNames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.notebook.flow.effects import Effects

_ROUNDS = 3


class World:
    """The objects and names of a notebook.

    Attributes:
        sites: The object that each place of the text makes.
        grew: Whether a cell has put into another cell's object what was not in it before.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.sites: dict[tuple[object, ...], Obj] = {}
        self.namespace = Obj("namespace")
        self.grew = False
        self._trees = [_parsed(text) for text in texts]
        self._exports: dict[str, dict[int, Value]] = {}
        self._constants: dict[tuple[type, object], Value] = {}
        self._members: dict[str, Value] = {}
        self._unmade: dict[str, Value] = {}
        names = [_names(text) for text in texts]
        self._order = _order(texts, names)
        self._makers: dict[str, set[int]] = {}
        for index, cell in enumerate(names):
            for name in cell.defines:
                self._makers.setdefault(name, set()).add(index)
        self._early = False

    def effects(self) -> list[Effects | None]:
        """What each cell does; None for one that is not Python or cannot be looked at."""
        found: list[Effects | None] = [None] * len(self._trees)
        for _ in range(_ROUNDS):
            self.grew = self._early = False
            for index in self._order:
                found[index] = self._run(index)
            if not (self.grew or self._early):
                break
        return found

    def _run(self, index: int) -> Effects | None:
        tree = self._trees[index]
        if tree is None:
            return None
        run = Interpreter(self, index)
        try:
            run.run_cell(tree)
        except RecursionError:
            return None
        except Exhausted:
            run.blind("a text that is too long to follow")
        for name in run.effects.bound:
            cells = self._exports.setdefault(name, {})
            given = run.own.get(name, frozenset())
            known = cells.get(index)
            if known is None and name not in self._makers:
                self._early = True  # who asked before did not know of it
            if known is not None and not given <= known:
                self._early = True
            cells[index] = given | (known or frozenset())
        return run.effects

    # What the cells share

    def exported(self, name: str, cell: int) -> Value | None:
        """What a name may refer to that other cells make; None where none makes it."""
        cells = self._exports.get(name)
        makers = self._makers.get(name, set()) - {cell}
        if makers - (cells or {}).keys():
            self._early = True
        if cells is None:
            return frozenset() if makers else None
        others = [value for index, value in cells.items() if index != cell]
        if not others:
            return cells[cell] if not makers else frozenset()
        return frozenset[Obj]().union(*others)

    def unmade(self, name: str) -> Value:
        """What a name refers to that no cell makes."""
        if name not in self._unmade:
            self._unmade[name] = frozenset({Obj("object", is_open=True)})
        return self._unmade[name]

    def constant(self, value: str | int) -> Value:
        """A text or number that is written out."""
        key = (type(value), value)
        if key not in self._constants:
            self._constants[key] = frozenset({Obj("scalar", constant=value)})
        return self._constants[key]

    def member(self, name: str) -> Value:
        """A module, or what is in it, by its full name."""
        if name not in self._members:
            self._members[name] = frozenset({Member("member", name=name)})
        return self._members[name]

    def parsed(self, text: str) -> ast.Module | None:
        """A text as Python; None where it is not."""
        return _parsed(text)


def _order(texts: Sequence[str], names: Sequence[CellNames]) -> list[int]:
    """Cells behind those whose names they read. Their order in the notebook plays no part."""
    makers: dict[str, list[int]] = {}
    by_text = sorted(range(len(texts)), key=lambda index: texts[index])
    for index in by_text:
        for name in names[index].defines:
            makers.setdefault(name, []).append(index)
    order: list[int] = []
    seen: set[int] = set()
    for start in by_text:
        waiting = [(start, False)]
        while waiting:
            index, is_done = waiting.pop()
            if is_done:
                order.append(index)
            elif index not in seen:
                seen.add(index)
                waiting.append((index, True))
                cell = names[index]
                for name in (*cell.reads, *cell.perhaps, *cell.builtins):
                    waiting += [(maker, False) for maker in makers.get(name, ())]
    return order


@lru_cache(maxsize=1_000)
def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None


def _names(text: str) -> CellNames:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return analyse(text)
    except (SyntaxError, ValueError, RecursionError):
        return CellNames()
