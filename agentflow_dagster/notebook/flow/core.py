"""Names while a cell runs, and the paths through it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from agentflow_dagster.notebook._ledger import position
from agentflow_dagster.notebook.flow.heap import Heap
from agentflow_dagster.notebook.flow.objects import (
    SCALAR,
    Frame,
    Key,
    Obj,
    State,
    Value,
)
from agentflow_dagster.notebook.names import BUILTINS

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Sequence

    from agentflow_dagster.notebook.flow.arguments import Arguments

_NOTHING: frozenset[Key] = frozenset()


class Core(Heap):
    """What running one cell does to names; the parts of an interpreter build on this."""

    @abstractmethod
    def evaluate(self, node: ast.expr | None, frame: Frame) -> Value:
        """What an expression may give."""

    @abstractmethod
    def call(self, function: Value, arguments: Arguments, node: ast.AST) -> Value:
        """Calls whatever it may be."""

    @abstractmethod
    def call_method(self, obj: Obj, name: str, arguments: Arguments, node: ast.AST) -> Value:
        """Calls a method of an object of any kind."""

    @abstractmethod
    def elements(self, value: Value, node: ast.AST) -> Value:
        """Goes over something, which consumes an iterator."""

    @abstractmethod
    def run(self, body: Sequence[ast.stmt], frame: Frame) -> bool:
        """Runs statements; says whether what stands behind them is reached."""

    @abstractmethod
    def run_body(self, definition: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
        """Runs a function's body; behind it the cell goes on from any place where it returns."""

    @abstractmethod
    def evaluate_annotations(self, obj: Obj) -> None:
        """Of a function or class, as `typing.get_type_hints` does."""

    @abstractmethod
    def run_texts(self, texts: Iterable[str]) -> bool:
        """Runs what is written out in `exec("…")`; says whether it is Python."""

    def look_up(self, name: str, frame: Frame) -> Value:
        """What a name may refer to."""
        inner = False
        current: Frame | None = frame
        while current is not None and current.scope is not None:
            scope = current.scope
            if name in scope.global_names:
                break
            if scope.kind == "class":
                if not inner and name in current.names:
                    return current.names[name]
            elif name in scope.names:
                value = current.names.get(name, SCALAR)
                if current is not frame:
                    self.touch(current.shell, name)
                    for obj in value:
                        self.follow(current.shell, obj)
                return value
            inner = True
            current = current.parent
        return self._of_notebook(name)

    def _of_notebook(self, name: str) -> Value:
        own = self.own.get(name)
        if own is not None and name in self.certain:
            return own
        value = self.world.exported(name, self.cell)
        if value is None and own is None and name in BUILTINS:
            return self.world.member(f"builtins.{name}")
        self.effects.look(name, self._at)
        if value is None:
            value = own or self.world.unmade(name)
        for obj in value:
            if obj.kind != "scalar":
                self.effects.reach(obj, {name})
        return value | own if own else value

    def of_namespace(self, keys: tuple[Key, ...]) -> Value:
        """`globals()["name"]`."""
        found: Value = frozenset()
        for key in keys:
            if isinstance(key, str):
                found |= self.look_up(key, self.outer)
            else:
                self.blind("globals")
        return found or SCALAR

    def set_global(self, key: Key, value: Value) -> None:
        if isinstance(key, str):
            self.assign(key, value, self.outer, self.place)
        else:
            self.blind("globals")

    def assign(self, name: str, value: Value, frame: Frame, node: ast.AST) -> None:
        """A name is set where its scope says."""
        while frame.scope is not None and frame.scope.kind == "comprehension":
            if name in frame.scope.names or frame.parent is None:
                if name in frame.scope.names:
                    frame.names[name] = value
                    return
                break
            frame = frame.parent
        scope = frame.scope
        if scope is None or scope.kind == "comprehension" or name in scope.global_names:
            self._bind(name, value, node)
        elif scope.kind == "class" or name in scope.names:
            frame.names[name] = value
        else:
            self._set_outside(name, value, frame)

    def _bind(self, name: str, value: Value, node: ast.AST) -> None:
        self.own[name] = value
        self.certain.add(name)
        if name not in self.effects.bound:
            self.effects.bound[name] = position(self._at if self.stack else node)

    def _set_outside(self, name: str, value: Value, frame: Frame) -> None:
        """`nonlocal`: an outer function's variable."""
        outer = frame.parent
        while outer is not None:
            if outer.scope is not None and name in outer.scope.names:
                outer.names[name] = outer.names.get(name, frozenset()) | value
                self.write(outer.shell, name)
                return
            outer = outer.parent

    def remove(self, name: str, frame: Frame) -> None:
        """`del name`."""
        self.look_up(name, frame)
        if frame.scope is not None and name not in frame.scope.global_names:
            frame.names.pop(name, None)
            return
        self.own.pop(name, None)
        self.certain.discard(name)
        self.effects.bound.pop(name, None)
        self.effects.removed.add(name)

    def state(self, frame: Frame) -> State:
        return State(dict(frame.names), dict(self.own), set(self.certain), dict(self.covered))

    def go_back(self, state: State, frame: Frame) -> None:
        """Goes on from a state as if nothing had happened since."""
        if frame.names is not self.own:
            frame.names.clear()
            frame.names.update(state.names)
        self.own.clear()
        self.own.update(state.own)
        self.certain = set(state.certain)
        self.covered = dict(state.covered)

    def join(self, states: Sequence[State], frame: Frame) -> None:
        """Goes on from any of these states."""
        first, *others = states
        names, own, certain = dict(first.names), dict(first.own), set(first.certain)
        covered = dict(first.covered)
        for state in others:
            merge(names, state.names)
            merge(own, state.own)
            certain &= state.certain
            covered = {o: k & state.covered.get(o, _NOTHING) for o, k in covered.items()}
        self.go_back(State(names, own, certain, covered), frame)


def merge(names: dict[str, Value], others: dict[str, Value]) -> None:
    """Adds what names may refer to on another path."""
    for name, value in others.items():
        known = names.get(name)
        names[name] = value if known is None else known | value
