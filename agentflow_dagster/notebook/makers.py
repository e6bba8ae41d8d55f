"""Who makes each name of a notebook, and whom a reader takes it from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.notebook.names import BUILTINS, Binding
from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.spec.diagnostics import Diagnostic, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.notebook.cells import NotebookCell
    from agentflow_dagster.notebook.reading import ReadCell
    from agentflow_dagster.spec.diagnostics import Position

NOTEBOOK_ONLY = frozenset({"display", "get_ipython", "In", "Out", "_", "__", "___"})
_REFERABLE = re.compile(r"(?!(true|false|null)\Z)[A-Za-z_][A-Za-z0-9_]{0,254}")


@dataclass(frozen=True, slots=True)
class Maker:
    """A cell that makes a name, and how."""

    cell: NotebookCell
    binding: Binding

    @property
    def is_value(self) -> bool:
        """Whether what it makes can pass from one node to another."""
        return self.binding.kind in {"value", "target"}

    def reference(self, name: str) -> str:
        """What the name is in the document: of the run's input, of what code leaves, or of what any
        other node gives."""
        if self.cell.node is None:
            return f"input.{name}"
        whole = f"{self.cell.name}.output"
        return f"{whole}.{name}" if self.cell.node.is_code else whole


class Makers:
    """The makers of every name.

    All setup cells count as one: they run before each node, in the order of the notebook.
    """

    def __init__(self, cells: Sequence[ReadCell]) -> None:
        self._makers: dict[str, list[Maker]] = {}
        for read in cells:
            for name, binding in read.names.defines.items():
                self._makers.setdefault(name, []).append(Maker(read.cell, binding))
        self._complete = all(
            not (read.cell.ships and (read.diagnostics or read.names.unknown)) for read in cells
        )

    def shipping(self, name: str, *, apart_from: NotebookCell) -> list[Maker]:
        """Who makes the name for the agent, one setup cell at most and first."""
        ships = [m for m in self._makers.get(name, ()) if m.cell.ships and m.cell is not apart_from]
        setup = [m for m in ships if m.cell.role == "setup"]
        if apart_from.role == "setup":
            setup = []
        return [*setup[:1], *(m for m in ships if m.cell.role != "setup")]

    def find(
        self, name: str, reader: NotebookCell, position: Position
    ) -> Maker | Diagnostic | None:
        """The one value that a reader takes the name from; None where there is none to pass on.

        That is so of builtins and of what setup cells make.
        """
        if reader.role == "setup" and any(
            m.cell.role == "setup" for m in self._makers.get(name, ())
        ):
            return None
        makers = self.shipping(name, apart_from=reader)
        rivals = [m for m in makers if m.binding.kind != "import" or m.cell.role == "setup"]
        if len(rivals) > 1:
            return self._ambiguous(name, reader, rivals)
        if not makers:
            return self._not_made(name, reader, position)
        maker = (rivals or makers)[0]
        if maker.cell.role == "setup":
            return None
        if not maker.is_value:
            return _not_shared(name, reader, position, maker)
        if reader.role == "setup" and maker.cell.role == "node":
            return problem(
                "AF619",
                f"A setup cell reads {name!r}, which {maker.cell.title} makes.",
                cell=reader,
                position=position,
                hint="Setup runs before every node: pass the value to a function instead.",
            )
        if not _REFERABLE.fullmatch(name):
            return problem(
                "AF620",
                f"{name!r} cannot pass from {maker.cell.title} to {reader.title}.",
                cell=maker.cell,
                position=maker.binding.position,
                hint="Use ASCII letters, digits and _, and none of the names true, false, null.",
            )
        return maker

    def _ambiguous(self, name: str, reader: NotebookCell, rivals: list[Maker]) -> Diagnostic:
        titles = " and ".join(m.cell.title for m in rivals)
        return problem(
            "AF614",
            f"{name!r} is made by {titles}, and {reader.title} reads it.",
            cell=rivals[-1].cell,
            position=rivals[-1].binding.position,
            hint="Give each its own name: the order of cells plays no part in an agent.",
        )

    def _not_made(self, name: str, reader: NotebookCell, position: Position) -> Diagnostic | None:
        if elsewhere := [m for m in self._makers.get(name, ()) if not m.cell.ships]:
            maker = elsewhere[0]
            return problem(
                "AF613",
                f"{reader.title} reads {name!r}, which {maker.cell.title} makes; that cell "
                "does not ship.",
                cell=reader,
                position=position,
                hint="Tag that cell `setup` or make it a node, or make the name here.",
            )
        if name in BUILTINS:
            return None
        if name in NOTEBOOK_ONLY:
            return problem(
                "AF621",
                f"{reader.title} uses {name!r}, which exists in notebooks only.",
                cell=reader,
                position=position,
                hint="Use print, or look at the value in a cell that does not ship.",
            )
        if not self._complete:  # a cell that cannot be read may make it
            return None
        return problem(
            "AF612",
            f"{reader.title} reads {name!r}, which no cell makes.",
            cell=reader,
            position=position,
            hint=nearest(name, (n for n in self._makers if self._is_offered(n, reader))),
        )

    def _is_offered(self, name: str, reader: NotebookCell) -> bool:
        return any(
            m.cell.role == "setup" or m.is_value for m in self.shipping(name, apart_from=reader)
        )


def _not_shared(name: str, reader: NotebookCell, position: Position, maker: Maker) -> Diagnostic:
    verb = "imports" if maker.binding.kind == "import" else "defines"
    what = "an import" if maker.binding.kind == "import" else f"a {maker.binding.kind}"
    return problem(
        "AF615",
        f"{reader.title} uses {name!r}, {what} that {maker.cell.title} {verb}.",
        cell=reader,
        position=position,
        hint="Move it to a cell tagged `setup`: that is shared by all nodes.",
    )
