"""What a notebook cell says and does with names, or why it cannot be read."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from agentflow_dagster.notebook.dataflow import analyse
from agentflow_dagster.notebook.expression_names import Mention, mentions
from agentflow_dagster.notebook.names import Binding, CellNames
from agentflow_dagster.notebook.node_config import read_config
from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.spec.diagnostics import Diagnostic, Position

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from agentflow_dagster.notebook.cells import NotebookCell
    from agentflow_dagster.notebook.node_line import NodeLine
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonObject

_MAGIC_LINE = re.compile(r"^(?P<indent>[ \t]*)(?:[%!?].*|.*\?)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ReadCell:
    """A cell and what it does with names; nothing where it could not be read.

    Args:
        cell: The cell.
        names: What its text takes, makes and changes. A node that is no code makes its own name.
        diagnostics: What is wrong with it.
        entry: The node as the document has it, without what other cells tell of it.
        positions: The place of each pointer into `entry`, in the cell's text.
        mentions: What its expressions name.
    """

    cell: NotebookCell
    names: CellNames
    diagnostics: tuple[Diagnostic, ...] = ()
    entry: JsonObject = field(default_factory=lambda: {})  # noqa: PIE807 - dict has no type
    positions: Mapping[str, Position] = field(default_factory=dict[str, Position])
    mentions: tuple[Mention, ...] = ()

    def place(self, pointer: str) -> Position:
        """Where a part of `entry` stands in the cell's text; its first line is as near as known."""
        while pointer and pointer not in self.positions:
            pointer = pointer.rpartition("/")[0]
        return self.positions.get(pointer, self.cell.head)

    @property
    def text(self) -> str:
        """The cell's text as Python.

        That of one that does not ship is without its magics; a node that is no code, or whose line
        says all that it takes and gives, is a text that makes its names.
        """
        node = self.cell.node
        if not self.cell.ships:
            return _without_magics(self.cell.source)
        if node is not None and (not node.is_code or node.is_exact):
            names = (name for name in self.names.defines if name.isidentifier())
            return "\n".join(f"{name} = __import__('agentflow').run()" for name in names)
        return self.cell.source


def read_cell(
    cell: NotebookCell, kinds: Catalogue | None = None, nodes: Collection[str] = ()
) -> ReadCell:
    """Reads a cell. One that does not ship may use magics, and is never at fault.

    Args:
        cell: The cell.
        kinds: Every node kind known here; without them, only code is understood.
        nodes: The names of the notebook's nodes.
    """
    if not cell.ships:
        return ReadCell(cell, _loosely(cell.source))
    if cell.node is not None and not cell.node.is_code:
        return _configured(cell, cell.node, kinds or {}, nodes)
    with warnings.catch_warnings():  # an odd escape in a text is no fault of the notebook
        warnings.simplefilter("ignore")
        try:
            _compile(cell.source)
            names = analyse(cell.source)
        except (SyntaxError, ValueError, RecursionError) as error:
            return ReadCell(cell, CellNames(), (_fault(cell, error),))
    read = ReadCell(cell, names, tuple(_blind_spots(cell, names)))
    return read if cell.node is None else _coded(read, cell.node, nodes, kinds or {})


@lru_cache(maxsize=1_000)
def _compile(source: str) -> None:
    """Finds what only the compiler does, such as `return` outside a function."""
    compile(source, "<cell>", "exec", dont_inherit=True)


def _coded(read: ReadCell, line: NodeLine, nodes: Collection[str], kinds: Catalogue) -> ReadCell:
    """A node of code: what its line gives it, it does not take from other cells."""
    given: JsonObject = dict(line.inputs)
    config: JsonObject = {"inputs": given} if given else {}
    if line.outputs is not None:
        config["outputs"] = list(line.outputs)
    entry = line.entry(config)
    if line.is_exact:
        made = cast("JsonObject", entry["with"]).get("outputs", ())
        names = made if isinstance(made, list | dict) else ()
        defines = {str(name): Binding("value", read.cell.head) for name in names}
        found = tuple(mentions(entry, nodes, kinds))
        return replace(
            read, names=CellNames(defines=defines), diagnostics=(), entry=entry, mentions=found
        )
    reads = {name: at for name, at in read.names.reads.items() if name not in given}
    names = replace(read.names, reads=reads)
    return replace(read, names=names, entry=entry, mentions=tuple(mentions(entry, nodes, kinds)))


def _configured(
    cell: NotebookCell, line: NodeLine, kinds: Catalogue, nodes: Collection[str]
) -> ReadCell:
    """A node of any other kind: it reads what its expressions name, and makes its own name."""
    kind = kinds.get(line.kind)
    config = read_config(cell.source, kind.prose if kind else "")
    places = {f"/with{place}": at for place, at in config.positions.items()}
    places["/with"] = Position(1)
    names = CellNames(defines={line.name: Binding("value", cell.head)})
    entry = line.entry(dict(config.values))
    if kind is None:  # what is wrong with its config is told once the kind is known
        return ReadCell(cell, names, (), entry, places, ())
    found = tuple(
        replace(one, pointer="").at("", cell.place(Position(one.line or 1, one.column or 1)))
        for one in config.diagnostics
    )
    return ReadCell(cell, names, found, entry, places, tuple(mentions(entry, nodes, kinds)))


def _loosely(source: str) -> CellNames:
    """Names of a cell whose magics are passed over; none where it is not Python even so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return analyse(_without_magics(source))
        except (SyntaxError, ValueError, RecursionError):
            return CellNames()


def _without_magics(source: str) -> str:
    return _MAGIC_LINE.sub(r"\g<indent>pass", source)


def _fault(cell: NotebookCell, error: Exception) -> Diagnostic:
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    place = Position(1)
    if isinstance(error, SyntaxError) and error.lineno:
        place = Position(error.lineno, error.offset or 1)
    if "await" in said or "outside async function" in said:
        return problem(
            "AF607",
            f"{cell.title} awaits at its top level, which only notebooks allow.",
            cell=cell,
            position=place,
            hint="Put it into `async def main()` and call `asyncio.run` in a function of your own.",
        )
    if _has_magics(cell.source):
        return problem(
            "AF605",
            f"{cell.title} uses a notebook magic; what ships is plain Python.",
            cell=cell,
            position=place,
            hint="Move it to a cell of its own, which does not ship.",
        )
    return problem("AF606", f"{cell.title} is not Python: {said}.", cell=cell, position=place)


def _has_magics(source: str) -> bool:
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        compile(TransformerManager().transform_cell(source), "<cell>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def _blind_spots(cell: NotebookCell, names: CellNames) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for unknown in names.unknown:
        if unknown.what.endswith("*"):
            code = "AF617"
            message = f"{cell.title} has `{unknown.what}`: which names it makes cannot be known."
            hint = "Import the names that you use."
        else:
            code = "AF618"
            message = f"{cell.title} calls {unknown.what}: names used in it are not seen."
            hint = "Write the names out, so that they are passed between nodes."
        found.append(problem(code, message, cell=cell, position=unknown.position, hint=hint))
    return found
