"""What a cell does with names: the result of `dataflow.analyse`."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from agentflow_dagster.spec.diagnostics import Position

if TYPE_CHECKING:
    from collections.abc import Mapping

BindingKind: TypeAlias = Literal["value", "target", "import", "function", "class"]
"""`target` is what a loop, `with` or `match` leaves behind: a value that nobody set out to make."""

BUILTINS = frozenset(dir(builtins)) | {"__name__", "__builtins__", "__annotations__"}


@dataclass(frozen=True, slots=True)
class Binding:
    """How a cell makes a name, and where first."""

    kind: BindingKind
    position: Position


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that makes or reads names which the text does not show: `import *`, `exec`."""

    what: str
    position: Position


@dataclass(frozen=True, slots=True)
class CellNames:
    """What a cell does with names, each with its first place (lines count from the text's first).

    Args:
        reads: Names that it takes from elsewhere; builtins apart.
        perhaps: Names that it makes on some paths only, and reads after.
        builtins: Builtins that it reads; another cell may have given the name a meaning.
        defines: Names that it leaves behind.
        mutates: Names from elsewhere whose value it changes in place.
        unknown: Where this analysis is blind.
    """

    reads: Mapping[str, Position] = field(default_factory=dict[str, Position])
    perhaps: Mapping[str, Position] = field(default_factory=dict[str, Position])
    builtins: Mapping[str, Position] = field(default_factory=dict[str, Position])
    defines: Mapping[str, Binding] = field(default_factory=dict[str, Binding])
    mutates: Mapping[str, Position] = field(default_factory=dict[str, Position])
    unknown: tuple[Unknown, ...] = ()
