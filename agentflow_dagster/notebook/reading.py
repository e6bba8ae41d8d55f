"""What a notebook cell does with names, or why it cannot be read as Python."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.notebook.dataflow import analyse
from agentflow_dagster.notebook.names import CellNames
from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.spec.diagnostics import Diagnostic, Position

if TYPE_CHECKING:
    from agentflow_dagster.notebook.cells import NotebookCell

_MAGIC_LINE = re.compile(r"^(?P<indent>[ \t]*)(?:[%!?].*|.*\?)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ReadCell:
    """A cell and what it does with names; nothing where it could not be read."""

    cell: NotebookCell
    names: CellNames
    diagnostics: tuple[Diagnostic, ...] = ()


def read_cell(cell: NotebookCell) -> ReadCell:
    """Reads a cell. One that does not ship may use magics, and is never at fault."""
    if not cell.ships:
        return ReadCell(cell, _loosely(cell.source))
    with warnings.catch_warnings():  # an odd escape in a text is no fault of the notebook
        warnings.simplefilter("ignore")
        try:
            compile(cell.source, "<cell>", "exec", dont_inherit=True)
            names = analyse(cell.source)
        except (SyntaxError, ValueError, RecursionError) as error:
            return ReadCell(cell, CellNames(), (_fault(cell, error),))
    return ReadCell(cell, names, tuple(_blind_spots(cell, names)))


def _loosely(source: str) -> CellNames:
    """Names of a cell whose magics are passed over; none where it is not Python even so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return analyse(_MAGIC_LINE.sub(r"\g<indent>pass", source))
        except (SyntaxError, ValueError, RecursionError):
            return CellNames()


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
