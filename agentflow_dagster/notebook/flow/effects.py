"""What running a cell does to names and objects, and where that meets what another one asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from agentflow_dagster.notebook._ledger import position
from agentflow_dagster.notebook.flow.objects import overlaps

if TYPE_CHECKING:
    import ast

    from agentflow_dagster.notebook.flow.objects import Key, Obj
    from agentflow_dagster.notebook.names import Unknown
    from agentflow_dagster.spec.diagnostics import Position


@dataclass(slots=True)
class Effects:
    """What one cell does.

    Attributes:
        looked: Names that it looks up before it has set them itself, with the place in the cell.
        bound: Names that it sets, also by functions that it calls.
        removed: Names that it deletes.
        touched: Parts of objects that it asks for; with the keys it had set itself before.
        written: Parts of objects from elsewhere that it changes.
        guessed: Those of them that may be none.
        roots: By which names it came to an object.
        blind: Where the text does not say what happens.
    """

    looked: dict[str, Position] = field(default_factory=dict["str", "Position"])
    bound: dict[str, Position] = field(default_factory=dict["str", "Position"])
    removed: set[str] = field(default_factory=set[str])
    touched: dict[tuple[Obj, Key], frozenset[Key]] = field(
        default_factory=dict["tuple[Obj, Key]", "frozenset[Key]"]
    )
    written: dict[tuple[Obj, Key], Position] = field(
        default_factory=dict["tuple[Obj, Key]", "Position"]
    )
    guessed: set[tuple[Obj, Key]] = field(default_factory=set["tuple[Obj, Key]"])
    roots: dict[Obj, set[str]] = field(default_factory=dict["Obj", "set[str]"])
    blind: list[Unknown] = field(default_factory=list["Unknown"])

    def look(self, name: str, node: ast.AST) -> None:
        if name not in self.looked:
            self.looked[name] = position(node)

    def reach(self, obj: Obj, names: set[str]) -> None:
        """The cell has come to an object by these names."""
        known = self.roots.get(obj)
        if known is None:
            self.roots[obj] = set(names)
        else:
            known |= names

    def touch(self, obj: Obj, key: Key, apart: frozenset[Key]) -> None:
        """It asks for a part of an object; not for the keys that it has set itself."""
        known = self.touched.get((obj, key))
        self.touched[obj, key] = apart if known is None else known & apart


def taken(first: Effects, second: Effects) -> dict[str, Literal["made", "changed"]]:
    """The names by which one cell asks for what another has done, and whether it made them."""
    made = first.bound.keys() | first.removed
    found: dict[str, Literal["made", "changed"]]
    found = {name: "made" for name in second.looked if name in made}
    changed: dict[Obj, list[Key]] = {}
    for obj, key in first.written:
        changed.setdefault(obj, []).append(key)
    for (obj, asked), apart in second.touched.items():
        for key in changed.get(obj, ()):
            if key not in apart and overlaps(key, asked, obj.kind):
                for name in second.roots.get(obj, ()):
                    found.setdefault(name, "changed")
    return found
