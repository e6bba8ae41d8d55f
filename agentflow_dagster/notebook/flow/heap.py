"""Objects while a cell runs: made, asked for, filled and changed."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeVar

from agentflow_dagster.notebook._ledger import position
from agentflow_dagster.notebook.flow.effects import Effects
from agentflow_dagster.notebook.flow.objects import (
    ALL,
    ITEMS,
    SCALAR,
    SIZE,
    Class,
    Frame,
    Instance,
    Key,
    Kind,
    Member,
    Obj,
    Value,
)
from agentflow_dagster.notebook.names import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentflow_dagster.notebook.flow.world import World

ObjT = TypeVar("ObjT", bound=Obj)

_STEPS = 4_000
"""Expressions and objects looked at for one cell; beyond that functions are no longer gone into,
and beyond twice as many nothing is."""

_WIDTH = 32
"""So many objects a name may refer to; more are a sign that nothing is known."""

_PATH = 3
"""So many calls back, one place of the text makes different objects."""

_CONSTANTS = 16
_NOTHING: frozenset[Key] = frozenset()


class Exhausted(Exception):
    """A cell has been looked at for longer than it is worth."""


class Heap(ABC):
    """What running one cell does to objects."""

    def __init__(self, world: World, cell: int) -> None:
        self.world = world
        self.cell = cell
        self.effects = Effects()
        self.own: dict[str, Value] = {}
        self.certain: set[str] = set()
        self.covered: dict[Obj, frozenset[Key]] = {}
        self.stack: list[ast.AST] = []
        self.steps = 0
        self.outer = Frame(None, None, self.own, Obj("object", cell))
        self.called_back: list[Obj] = []
        self._calls: list[int] = []
        self._at: ast.AST = ast.Pass(lineno=1, col_offset=0)

    def note(self, node: ast.AST) -> None:
        """Where in the cell's own text it is."""
        if not self.stack:
            self._at = node

    def enter(self, node: ast.AST, function: ast.AST) -> None:
        """A function begins to run."""
        self._calls.append(id(node))
        self.stack.append(function)

    def leave(self) -> None:
        """It has returned."""
        self._calls.pop()
        self.stack.pop()

    @property
    def place(self) -> ast.AST:
        """What of the cell's own text runs."""
        return self._at

    @property
    def is_tired(self) -> bool:
        """Whether the cell has been looked at for long enough."""
        return self.steps > _STEPS

    def blind(self, what: str) -> None:
        """The text does not say which names are meant."""
        if all(known.what != what for known in self.effects.blind):
            self.effects.blind.append(Unknown(what, position(self._at)))

    def make(self, kind: Kind, node: ast.AST, *, tag: str = "", is_open: bool = False) -> Obj:
        """The object that this place of the text makes."""
        return self.made(Obj(kind, self.cell, is_open), node, tag)

    def made(self, obj: ObjT, node: ast.AST, tag: str = "") -> ObjT:
        """This object, or the one that the same place made before."""
        site = (self.cell, id(node), tag, *self._calls[-_PATH:])
        known = self.world.sites.get(site)
        if known is None or type(known) is not type(obj) or known.kind != obj.kind:
            self.world.sites[site] = obj
            return obj
        return known  # type: ignore[return-value] # of that very type

    def fresh(self, kind: Kind, node: ast.AST, *, tag: str = "", holds: Value = SCALAR) -> Value:
        """An object of which it is known what its elements are."""
        obj = self.make(kind, node, tag=tag)
        self.put(obj, ALL, holds)
        return frozenset({obj})

    def view(self, obj: Obj, key: Key, node: ast.AST, *, kind: Kind | None = None) -> Value:
        """An object whose content is a part of another's."""
        seen = self.made(Obj(kind or obj.kind, self.cell, is_open=True), node, f"view{id(obj)}")
        seen.base = (obj, key)
        self.follow(obj, seen)
        return frozenset({seen})

    def view_of_names(self, obj: Obj, node: ast.AST) -> Value:
        """`obj.__dict__`: a dict that holds what the object holds."""
        value = self.view(obj, ALL, node, kind="dict")
        for seen in value:
            seen.fields = obj.fields
        return value

    def follow(self, parent: Obj, child: Obj) -> None:
        """The cell comes to one object by way of another."""
        if names := self.effects.roots.get(parent):
            self.effects.reach(child, names)

    def step(self) -> None:
        """One more expression or object is looked at.

        Raises:
            Exhausted: it was one too many.
        """
        self.steps += 1
        if self.steps > 2 * _STEPS:
            raise Exhausted

    def touch(self, obj: Obj, key: Key) -> None:
        """A part of an object is asked for."""
        self.step()
        if obj not in self.effects.roots:
            if obj.base is not None:
                self.touch(obj.base[0], obj.base[1])
            return
        mine = self.covered.get(obj, _NOTHING)
        if key in mine or ALL in mine:
            return
        self.effects.touch(obj, key, mine)
        if obj.base is not None:
            base, part = obj.base
            self.follow(obj, base)
            self.touch(base, part)

    def load(self, obj: Obj, key: Key) -> Value:
        """What an object holds under a key; `ALL` stands for one that is not known."""
        self.touch(obj, key)
        fields = obj.fields
        if key is ALL:
            found = {each for held in fields.values() for each in held}
        else:
            found = fields.get(key, set()) | fields.get(ALL, set())
        if not found:
            if not obj.is_open:
                return SCALAR
            child = Obj("object", obj.cell, is_open=True)
            fields[key] = found = {child}
        if len(found) > _WIDTH:
            found = set(sorted(found, key=lambda each: each.number)[:_WIDTH])
        for child in found:
            self.follow(obj, child)
        return frozenset(found)

    def put(self, obj: Obj, key: Key, value: Value) -> None:
        """Something is held from now on, beside what was before."""
        held = obj.fields.setdefault(key, set())
        if not value <= held:
            held |= value
            if obj.cell != self.cell:
                self.world.grew = True

    def store(self, value: Value, key: Key, given: Value) -> None:
        """An item or attribute is set."""
        for obj in value:
            if obj.kind == "namespace":
                self.set_global(key, given)
            elif obj.kind != "scalar":
                self.put(obj, key, given)
                if len(value) == 1 and not isinstance(key, type(ALL)):
                    self.cover(obj, key)
                self.write(obj, key)

    def cover(self, obj: Obj, key: Key) -> None:
        """From here on every path has set this part of an object anew."""
        self.covered[obj] = self.covered.get(obj, _NOTHING) | {key}

    def write(self, obj: Obj, key: Key, *, is_guess: bool = False) -> None:
        """A part of an object changes. What it will then be depends on what it was.

        Args:
            is_guess: Whether only the name of a method says so.
        """
        self.touch(obj, ALL)
        if obj.cell != self.cell and (obj, key) not in self.effects.written:
            self.effects.written[obj, key] = position(self._at)
            if is_guess:
                self.effects.guessed.add((obj, key))
        if obj.base is not None:
            base, part = obj.base
            self.follow(obj, base)
            self.write(base, part if key is not SIZE else key)

    def write_over(self, obj: Obj) -> None:
        """All of an object is set anew: what it was does not matter to what it then is."""
        if obj.cell != self.cell:
            self.effects.written.setdefault((obj, ALL), position(self._at))
        self.cover(obj, ALL)

    def look_into(self, value: Value, node: ast.AST, *, consume: bool = True) -> None:
        """Somebody looks at all that a value holds, as `print` or a library may.

        Args:
            consume: Whether functions among it may be called, and iterators run.
        """
        seen: set[Obj] = set()
        waiting = [(obj, 0) for obj in value]
        while waiting:
            obj, depth = waiting.pop()
            if obj in seen or obj.kind in {"scalar", "member"}:
                continue
            seen.add(obj)
            if consume and depth < 2 and self._used_up(obj, node):
                continue
            for child in self._look_at(obj, node):
                self.follow(obj, child)
                waiting.append((child, depth + 1))

    def _look_at(self, obj: Obj, node: ast.AST) -> list[Obj]:
        """Looks at one object; gives what else is to be looked at."""
        if obj.kind == "namespace":
            self.blind("globals")
        if obj.kind in {"function", "class", "namespace"}:
            return []
        self.touch(obj, ALL)
        if isinstance(obj, Instance) and obj.type is not None:
            self.follow(obj, obj.type)
            self.dunder(obj, ("__repr__", "__str__", "__iter__", "__len__"), node)
        return [each for held in list(obj.fields.values()) for each in held]

    def keys(self, value: Value) -> tuple[Key, ...]:
        """The keys that a value may be, or `ALL`."""
        found: list[Key] = []
        for obj in value:
            constant = obj.constant
            if constant is None or (isinstance(constant, int) and constant < 0):
                return (ALL,)
            found.append(constant)
        return tuple(found) if 0 < len(found) <= _CONSTANTS else (ALL,)

    def texts(self, value: Value) -> list[str] | None:
        """The texts that a value may be; None where they are not all known."""
        texts = [obj.constant for obj in value if isinstance(obj.constant, str)]
        return texts if texts and len(texts) == len(value) else None

    def item_key(self, obj: Obj, key: Key) -> Key:
        """What changes of an object when one of its items is set under a key that is not known."""
        return ITEMS if key is ALL and obj.kind in {"list", "array"} else key

    def lookup_class(self, cls: Class, name: str) -> Value:
        """An attribute of a class or of those it comes from; nothing where none has it."""
        seen: set[Obj] = set()
        waiting: list[Obj] = [cls]
        while waiting:
            each = waiting.pop(0)
            if each in seen:
                continue
            seen.add(each)
            self.follow(cls, each)
            if not isinstance(each, Class):
                continue
            if name in each.fields:
                return self.load(each, name)
            self.touch(each, name)
            waiting += each.bases
        return frozenset()

    def is_of(self, cls: Class, *names: str) -> bool:
        """Whether a class comes from one of these of a library."""
        return any(
            (isinstance(base, Member) and base.name in names)
            or (isinstance(base, Class) and base is not cls and self.is_of(base, *names))
            for base in cls.bases
        )

    @abstractmethod
    def dunder(self, obj: Obj, names: Iterable[str], node: ast.AST) -> Value | None:
        """Calls those of the special methods that an object of the notebook's classes has."""

    @abstractmethod
    def set_global(self, key: Key, value: Value) -> None:
        """`globals()[key] = …`."""

    @abstractmethod
    def _used_up(self, obj: Obj, node: ast.AST) -> bool:
        """Runs an iterator or calls a function that a library was given."""
