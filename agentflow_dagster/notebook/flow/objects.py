"""What a cell's names may refer to, as far as the text tells: the objects of a notebook.

An `Obj` stands for all that one place of the text makes. It holds others by key; an attribute and
an item of one name are one key. A value is the set of what it may be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import ast
    from collections.abc import Hashable

    from agentflow_dagster.notebook._scopes import Scope

Kind: TypeAlias = Literal[
    "scalar", "object", "list", "tuple", "dict", "set", "array", "frame", "iterator", "function",
    "class", "instance", "member", "method", "namespace",
]  # fmt: skip
"""`object` is anything that no text shows; `member` is what an imported module holds."""


class Part(Enum):
    """What of an object is meant, where it is not one key."""

    ALL = "all of it"
    ITEMS = "some of its items, not how many there are"
    SIZE = "how many items there are, or of what keys"


ALL, ITEMS, SIZE = Part.ALL, Part.ITEMS, Part.SIZE
Key: TypeAlias = "Hashable"

_FIXED_SIZE = frozenset({"list", "tuple", "array", "frame"})
"""Kinds where setting an item under a key makes no other number of rows."""


@dataclass(slots=True, eq=False)
class Obj:
    """One object.

    Args:
        kind: What is known of its type.
        cell: The cell that makes it; -1 where none does.
        is_open: Whether it holds what the text does not show; that is made when it is asked for.
        fields: What it holds.
        base: The object of which it is a view, and the part.
        constant: The value of a text or number.
        number: By when it was made.
    """

    kind: Kind
    cell: int = -1
    is_open: bool = False
    fields: dict[Key, set[Obj]] = field(default_factory=dict["Key", "set[Obj]"])
    base: tuple[Obj, Key] | None = None
    constant: str | int | None = None
    number: int = field(default_factory=count().__next__)


Value: TypeAlias = frozenset[Obj]

SCALAR: Value = frozenset({Obj("scalar")})
"""A text, number or None that is not known."""


@dataclass(slots=True, eq=False)
class Frame:
    """The names of one running function, class body or comprehension; or (no scope) of the cell.

    Args:
        scope: Which names it keeps to itself.
        parent: The frame in which its text stands; None where that is the cell.
        names: What they refer to.
        shell: Stands for its variables, as something that inner functions change.
        returns, yields: What it gives back.
        exits: The states of the cell's names where it returns.
        breaks: The states of its own names where a loop is left.
    """

    scope: Scope | None
    parent: Frame | None
    names: dict[str, Value]
    shell: Obj
    returns: set[Obj] = field(default_factory=set[Obj])
    yields: set[Obj] = field(default_factory=set[Obj])
    exits: list[State] = field(default_factory=list["State"])
    breaks: list[dict[str, Value]] = field(default_factory=list["dict[str, Value]"])


@dataclass(frozen=True, slots=True)
class State:
    """Names at one place of a path through the text.

    Args:
        names: Of the frame.
        own: Of the cell.
        certain: Names of the cell that every path to here has set.
        covered: Keys of objects that every path to here has set.
    """

    names: dict[str, Value]
    own: dict[str, Value]
    certain: set[str]
    covered: dict[Obj, frozenset[Key]]


@dataclass(slots=True, eq=False)
class Function(Obj):
    """A function or lambda, with what its definition has taken hold of."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None = None
    frame: Frame | None = None
    defaults: dict[str, Value] = field(default_factory=dict["str", "Value"])
    is_property: bool = False
    is_static: bool = False
    is_class_method: bool = False


@dataclass(slots=True, eq=False)
class Method(Obj):
    """A method that has been asked for of an object."""

    receiver: Value = frozenset()
    function: Function | None = None
    name: str = ""


@dataclass(slots=True, eq=False)
class Class(Obj):
    """A class of the notebook."""

    node: ast.ClassDef | None = None
    bases: set[Obj] = field(default_factory=set[Obj])
    annotated: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Instance(Obj):
    """An object of a class of the notebook."""

    type: Class | None = None


@dataclass(slots=True, eq=False)
class Lazy(Obj):
    """A generator, or what else runs when it is consumed.

    Args:
        body: What then runs.
        frame: In which names.
        calls: Functions that are called for each element of `over`.
        over: What it goes over.
    """

    body: ast.FunctionDef | ast.AsyncFunctionDef | ast.GeneratorExp | None = None
    frame: Frame | None = None
    calls: Value = frozenset()
    over: list[Value] = field(default_factory=list["Value"])


@dataclass(slots=True, eq=False)
class Member(Obj):
    """A module, something that it holds, or a builtin, by its full name."""

    name: str = ""


def overlaps(written: Key, asked: Key, kind: Kind) -> bool:
    """Whether a change of one part of an object of this kind can be seen in another."""
    if written == asked or written is ALL or asked is ALL:
        return True
    if asked is SIZE:
        return written is not ITEMS and kind not in _FIXED_SIZE
    if written is SIZE:
        return False
    return written is ITEMS or asked is ITEMS
