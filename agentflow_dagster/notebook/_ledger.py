"""Keeps account of names while a cell's statements are walked in the order in which they run."""

from __future__ import annotations

import ast
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agentflow_dagster.notebook.names import BUILTINS, Binding, BindingKind, CellNames, Unknown
from agentflow_dagster.spec.diagnostics import Position

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from agentflow_dagster.notebook._scopes import Scope


class Ledger:
    """What has been read, made and changed so far, and which scopes are open.

    Attributes:
        certain: Names that every path to here has made; a branch works on a copy.
        unknown: Where the analysis is blind.
    """

    def __init__(self) -> None:
        self.certain: set[str] = set()
        self.unknown: list[Unknown] = []
        self._scopes: list[Scope] = []
        self._made: dict[str, Binding] = {}
        self._reads: dict[str, Position] = {}
        self._perhaps: dict[str, Position] = {}
        self._mutates: dict[str, Position] = {}
        # What happens when a function is called: it finds all that the cell has made by its end.
        self._made_later: dict[str, Binding] = {}
        self._reads_later: dict[str, Position] = {}
        self._mutates_later: dict[str, Position] = {}
        self._aliases: dict[str, str] = {}

    def names(self) -> CellNames:
        """The account at the end of the cell."""
        later = {n: p for n, p in self._reads_later.items() if n not in self._made}
        reads = {n: p for n, p in later.items() if n not in self._made_later} | self._reads
        perhaps = {n: p for n, p in later.items() if n in self._made_later} | self._perhaps
        mutates = {n: p for n, p in self._mutates_later.items() if n not in self._made}
        return CellNames(
            reads={n: p for n, p in reads.items() if n not in BUILTINS},
            perhaps=perhaps,
            builtins={n: p for n, p in reads.items() if n in BUILTINS},
            defines=self._made_later | self._made,
            mutates=mutates | self._mutates,
            unknown=tuple(self.unknown),
        )

    @contextmanager
    def scope(self, scope: Scope) -> Generator[None]:
        """Opens a scope for as long as the block lasts."""
        self._scopes.append(scope)
        yield
        self._scopes.pop()

    @property
    def in_function(self) -> bool:
        """Whether what is walked runs only when a function is called."""
        return any(scope.kind == "function" for scope in self._scopes)

    def is_own(self, name: str) -> bool:
        """Whether a name, read here, is one that this cell has made."""
        return name in self._made or self._is_local(name)

    def read(self, name: str, node: ast.AST) -> None:
        """A name's value is used."""
        if self._is_local(name):
            return
        if self.in_function:
            self._reads_later.setdefault(name, position(node))
        elif name not in self.certain:
            seen = self._perhaps if name in self._made else self._reads
            seen.setdefault(name, position(node))

    def bind(self, name: str, kind: BindingKind, node: ast.AST) -> None:
        """A name is given a value."""
        scope = self._binding_scope()
        if scope is not None and name not in scope.global_names:
            scope.names.add(name)
            return
        made = self._made_later
        if scope is None:
            made = self._made
            self.certain.add(name)
            self._aliases.pop(name, None)
        known = made.get(name)
        if known is None or _precedence(kind) > _precedence(known.kind):
            made[name] = Binding(kind, known.position if known else position(node))

    def unbind(self, name: str) -> None:
        """A name is deleted."""
        if self._binding_scope() is None and name in self.certain:
            self._aliases.pop(name, None)
            self.certain.discard(name)
            self._made.pop(name, None)

    def mutate(self, name: str | None, node: ast.AST) -> None:
        """The value under a name is changed in place; None stands for no name."""
        if name is None or self._is_local(name):
            return
        if self.in_function:
            self._mutates_later.setdefault(name, position(node))
            return
        name = self._aliases.get(name, name)
        if name not in self._made:
            self._mutates.setdefault(name, position(node))

    def alias(self, targets: Iterable[ast.expr], origin: str | None) -> None:
        """The targets are, or come out of, the value of `origin`."""
        if origin is None or self._scopes:
            return
        origin = self._aliases.get(origin, origin)
        if origin in self._made:
            return
        for target in targets:
            for node in ast.walk(target):
                if isinstance(node, ast.Name):
                    self._aliases[node.id] = origin

    def _binding_scope(self) -> Scope | None:
        """Where an assignment here lands: comprehensions let `:=` through; None is the cell."""
        return next((s for s in reversed(self._scopes) if s.kind != "comprehension"), None)

    def _is_local(self, name: str) -> bool:
        inside = False
        for scope in reversed(self._scopes):
            if name in scope.global_names:
                return False
            if name in scope.names and not (scope.kind == "class" and inside):
                return True
            inside = True
        return False


def position(node: ast.AST) -> Position:
    """Where a node stands in its cell."""
    return Position(getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1)


def _precedence(kind: BindingKind) -> int:
    """What a name counts as that is made in several ways: only plain values are passed on."""
    return ("target", "value", "import", "function", "class").index(kind)
